package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Segment;
import java.nio.ByteBuffer;

/**
 * A segment of a {@link SocketSession}, through this process's own mapping of it; the manager has another. It outlives the
 * manager: its id here stays, while each manager that it is attached to mints one of its own.
 */
final class SocketSegment implements Segment {
    private final SocketSession session;
    private final long id;
    private final SealedMemory memory;
    /** Guarded by the session's gate, like the next: where it is attached, and as what. */
    private ManagerConnection connection;
    private long idThere;
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

    /** With the session's gate held. */
    void attached(ManagerConnection to, long id) {
        connection = to;
        idThere = id;
    }

    /** What its manager calls it; 0, which no manager calls anything, where it is not attached. With the gate held. */
    @SuppressWarnings("ReferenceEquality") // this very connection
    long idOn(ManagerConnection asked) {
        return connection == asked ? idThere : 0;
    }

    SealedMemory memory() {
        return memory;
    }

    /** Like {@link #retain}, also when it is closed and only requests use it still. False when nobody does. */
    synchronized boolean retainIfUsed() {
        if (closed && uses == 0) {
            return false;
        }
        uses++;
        return true;
    }

    synchronized boolean isClosed() {
        return closed;
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
            session.seal(this, usedBytes);
        }
    }

    /** By the thread that takes in the manager's answer: the next manager must be told of it. */
    void sealed(long usedBytes, long bytesLeft) {
        sizeBytes = Math.max(usedBytes, Math.min(bytesLeft, sizeBytes)); // whatever the manager says
        sealed = true;
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
