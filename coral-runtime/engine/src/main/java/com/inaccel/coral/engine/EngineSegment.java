package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Segment;
import com.inaccel.coral.protocol.SealedMemory;
import java.nio.ByteBuffer;

/**
 * A segment on the engine's side: the memory itself, and who uses it.
 *
 * <p>Counted references: one for the owner until {@link #close}, one for each request that uses it, one for each device
 * that keeps it in place or resident. The memory is released with the last. Thread-safe.
 */
public final class EngineSegment implements Segment {
    private final EngineSession session;
    private final SharedMemory.Account account;
    private final SealedMemory memory;
    private final long id;
    private final boolean attached;

    private int references = 1;
    private boolean closed;
    private volatile boolean sealed;
    private volatile long sizeBytes;

    EngineSegment(EngineSession session, SharedMemory.Account account, SealedMemory memory, long id) {
        this.session = session;
        this.account = account;
        this.memory = memory;
        this.id = id;
        this.attached = false;
        this.sizeBytes = memory.sizeBytes();
    }

    /** Of memory that came from the client. */
    EngineSegment(EngineSession session, SharedMemory.Account account, SealedMemory memory, long id, long sizeBytes,
            boolean sealed) {
        this.session = session;
        this.account = account;
        this.memory = memory;
        this.id = id;
        this.attached = true;
        this.sizeBytes = sizeBytes;
        this.sealed = sealed;
    }

    /** Owned by the segment; stays mapped while a request uses it, even after {@link #close}. */
    public SealedMemory memory() {
        return memory;
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
        if (offsetBytes < 0 || lengthBytes < 0 || lengthBytes > sizeBytes - offsetBytes) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE,
                "outside the segment: segment=" + id + ", offsetBytes=" + offsetBytes + ", lengthBytes=" + lengthBytes
                    + ", sizeBytes=" + sizeBytes + "; stay within it");
        }
        return memory.buffer(offsetBytes, lengthBytes);
    }

    @Override
    public synchronized void seal(long usedBytes) {
        requireOpen();
        if (usedBytes < 0 || usedBytes > sizeBytes) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE,
                "more used than there is: segment=" + id + ", usedBytes=" + usedBytes + ", sizeBytes=" + sizeBytes
                    + "; declare at most the segment's size");
        }
        if (sealed) {
            return;
        }
        long kept = SharedMemory.roundUpToPages(usedBytes);
        // A request that was accepted before may still use the tail: then everything stays until the segment goes.
        if (references == 1 && kept < sizeBytes) {
            memory.trim(usedBytes);
            session.engine().memory().trimmed(account, sizeBytes - kept);
            sizeBytes = kept;
        }
        sealed = true;
    }

    @Override
    public boolean isSealed() {
        return sealed;
    }

    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        session.forget(this);
        release();
    }

    /** A request or a device starts to use it. */
    synchronized void retain() {
        requireOpen();
        references++;
    }

    /** Like {@link #retain}, for who holds a reference already: works on a closed segment too. */
    synchronized void retainAgain() {
        references++;
    }

    void release() {
        synchronized (this) {
            if (--references > 0) {
                return;
            }
        }
        if (attached) {
            session.engine().memory().detach(account, memory, sizeBytes);
        } else {
            session.engine().memory().release(account, memory, sizeBytes);
        }
    }

    synchronized boolean isClosed() {
        return closed;
    }

    boolean belongsTo(EngineSession candidate) {
        return session == candidate;
    }

    /** Its sealed tail may be written by a peer that kept its mapping: that is taken back here. */
    void reclaimTail() {
        synchronized (this) {
            if (closed || !sealed || sizeBytes == memory.sizeBytes() || memory.committedBytes() <= sizeBytes) {
                return;
            }
            memory.trim(sizeBytes);
        }
    }

    private void requireOpen() {
        if (closed) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT,
                "segment is closed: segment=" + id + "; use it before closing it");
        }
    }
}
