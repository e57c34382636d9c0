package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Segment;
import java.nio.ByteBuffer;

/** A segment of a {@link SocketSession}, through this process's own mapping of it; the manager has another. */
final class SocketSegment implements Segment {
    private final SocketSession session;
    private final long id;
    private final SealedMemory memory;
    private volatile boolean sealed;
    private volatile long sizeBytes;
    /** Guarded by this. Outstanding requests with a slice of it: the mapping stays while there are any. */
    private int uses;
    /** Guarded by this. */
    private boolean closed;

    /** Owns the memory. */
    SocketSegment(SocketSession session, long id, SealedMemory memory) {
        this.session = session;
        this.id = id;
        this.memory = memory;
        this.sizeBytes = memory.sizeBytes();
    }

    boolean belongsTo(SocketSession other) {
        return session == other;
    }

    /** Pairs with {@link #release}. */
    synchronized void retain() {
        requireOpen();
        uses++;
    }

    void release() {
        boolean last;
        synchronized (this) {
            uses--;
            last = closed && uses == 0;
        }
        if (last) {
            memory.close();
        }
    }

    @Override
    public long id() {
        return id;
    }

    @Override
    public long sizeBytes() {
        return sizeBytes;
    }

    @Override
    public long address() {
        return memory.address();
    }

    @Override
    public synchronized ByteBuffer buffer(long offsetBytes, long lengthBytes) {
        requireOpen();
        // Compared by subtraction: offset + length may overflow. The mapping may be longer than what a seal left.
        if (offsetBytes < 0 || lengthBytes < 0 || offsetBytes > sizeBytes || lengthBytes > sizeBytes - offsetBytes) {
            throw outOfRange("offsetBytes=" + offsetBytes + ", lengthBytes=" + lengthBytes);
        }
        return memory.buffer(offsetBytes, lengthBytes);
    }

    @Override
    public void seal(long usedBytes) {
        synchronized (this) {
            requireOpen();
        }
        if (usedBytes < 0 || usedBytes > sizeBytes) {
            throw outOfRange("usedBytes=" + usedBytes);
        }
        if (!sealed) {
            long left = session.seal(this, usedBytes);
            sizeBytes = Math.max(usedBytes, Math.min(left, sizeBytes)); // whatever the manager says
            sealed = true;
        }
    }

    @Override
    public boolean isSealed() {
        return sealed;
    }

    @Override
    public void close() {
        boolean unused;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            unused = uses == 0;
        }
        session.free(this);
        if (unused) {
            memory.close();
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT,
                "segment is closed: segment=" + id + "; use it before closing it");
        }
    }

    private CoralException outOfRange(String what) {
        return new CoralException(ErrorCode.OUT_OF_RANGE, "outside the segment: segment=" + id + ", " + what
            + ", sizeBytes=" + sizeBytes + "; stay within it");
    }

    @Override
    public String toString() {
        return "segment " + id + " of " + session.address();
    }
}
