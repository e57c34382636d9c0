package com.inaccel.coral;

import com.inaccel.coral.protocol.SealedMemory;
import java.nio.ByteBuffer;

/** A segment without a session. */
final class LocalSegment implements Segment {
    private final SealedMemory memory;
    private boolean sealed;

    LocalSegment(long bytes) {
        memory = SealedMemory.create("local", bytes);
    }

    @Override
    public long id() {
        return 1;
    }

    @Override
    public long sizeBytes() {
        return memory.sizeBytes();
    }

    @Override
    public long address() {
        return memory.address();
    }

    @Override
    public ByteBuffer buffer(long offsetBytes, long lengthBytes) {
        return memory.buffer(offsetBytes, lengthBytes);
    }

    @Override
    public void seal(long usedBytes) {
        memory.trim(usedBytes);
        sealed = true;
    }

    @Override
    public boolean isSealed() {
        return sealed;
    }

    @Override
    public void close() {
        memory.close();
    }
}
