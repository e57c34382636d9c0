package com.inaccel.coral;

import java.util.ArrayList;
import java.util.List;

/**
 * Segments of one session between their uses: the first touch of new memory costs many times a copy into it. Keeps up to a
 * bound of idle bytes. Thread-safe.
 */
final class SegmentPool implements AutoCloseable {
    private static final long UNIT_BYTES = 1 << 16;
    /** A segment serves what takes at least this part of it. */
    private static final int LEAST_USE = 4;

    private final Session session;
    private final long idleLimitBytes;
    /** Least recently used first. */
    private final List<Segment> idle = new ArrayList<>();
    private long idleBytes;
    private boolean closed;

    SegmentPool(Session session, long idleLimitBytes) {
        this.session = session;
        this.idleLimitBytes = idleLimitBytes;
    }

    /** A segment of at least so many bytes, what is in it undefined; the caller gives it back, or closes it. */
    Segment take(long bytes) {
        Segment found = takeIdle(bytes);
        if (found != null) {
            return found;
        }
        long rounded = Math.min(Segment.MAX_BYTES, (bytes + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES);
        try {
            return session.allocate(Math.max(bytes, rounded));
        } catch (CoralException e) {
            if (e.code().actor() != ErrorCode.Actor.RESOURCES || !release()) {
                throw e;
            }
            return session.allocate(bytes);
        }
    }

    private synchronized Segment takeIdle(long bytes) {
        Segment best = null;
        for (Segment segment : idle) {
            boolean fits = segment.sizeBytes() >= bytes
                && segment.sizeBytes() <= Math.max(UNIT_BYTES, bytes) * LEAST_USE;
            if (fits && (best == null || segment.sizeBytes() <= best.sizeBytes())) {
                best = segment;
            }
        }
        if (best != null) {
            idle.remove(best);
            idleBytes -= best.sizeBytes();
        }
        return best;
    }

    /** No request uses it any more. */
    void give(Segment segment) {
        List<Segment> surplus = new ArrayList<>();
        synchronized (this) {
            if (closed) {
                surplus.add(segment);
            } else {
                idle.add(segment);
                idleBytes += segment.sizeBytes();
                while (idleBytes > idleLimitBytes) {
                    Segment oldest = idle.remove(0);
                    idleBytes -= oldest.sizeBytes();
                    surplus.add(oldest);
                }
            }
        }
        surplus.forEach(Segment::close);
    }

    /** Closes what is idle. @return whether there was something */
    private boolean release() {
        List<Segment> all;
        synchronized (this) {
            all = List.copyOf(idle);
            idle.clear();
            idleBytes = 0;
        }
        all.forEach(Segment::close);
        return !all.isEmpty();
    }

    /** What is in use is closed when it is given back. Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
        }
        release();
    }
}
