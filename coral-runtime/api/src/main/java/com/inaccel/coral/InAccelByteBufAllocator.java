package com.inaccel.coral;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledUnsafeDirectByteBuf;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Netty buffers in shared memory, for the requests of {@link InAccel}: zero where they are new, and given back by {@link
 * ByteBuf#release}. Each has a segment of its own, so few large ones serve better than many small ones. Thread-safe.
 */
public final class InAccelByteBufAllocator extends AbstractByteBufAllocator {
    public static final ByteBufAllocator DEFAULT = new InAccelByteBufAllocator();
    /** By the address of their first byte, as requests look them up by their buffers' addresses. */
    private static final ConcurrentSkipListMap<Long, Segment> SEGMENTS = new ConcurrentSkipListMap<>();

    public InAccelByteBufAllocator() {
        super(/* preferDirect= */ true);
    }

    @Override
    public boolean isDirectBufferPooled() {
        return false;
    }

    /** Shared memory, or there would be no use for this allocator. */
    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return newDirectBuffer(initialCapacity, maxCapacity);
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        return new SharedByteBuf(this, initialCapacity, maxCapacity);
    }

    /** The slice of a segment that a buffer views. */
    static Argument.Slice slice(ByteBuffer buffer) {
        if (!buffer.isDirect()) {
            throw notShared("heap");
        }
        long address = Pointer.nativeValue(Native.getDirectBufferPointer(buffer.duplicate().clear()));
        Map.Entry<Long, Segment> found = SEGMENTS.floorEntry(address);
        long offset = found == null ? -1 : address - found.getKey();
        if (found == null || buffer.capacity() > found.getValue().sizeBytes() - offset) {
            throw notShared("direct");
        }
        return new Argument.Slice(found.getValue(), offset, buffer.capacity(), Argument.Access.DECLARED);
    }

    private static CoralException notShared(String kind) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, "buffer does not lie in shared memory: kind=" + kind
            + "; allocate it with InAccelByteBufAllocator.DEFAULT.buffer(bytes)");
    }

    /** A buffer over a segment, which goes with it. */
    private static final class SharedByteBuf extends UnpooledUnsafeDirectByteBuf {
        SharedByteBuf(InAccelByteBufAllocator allocator, int initialCapacity, int maxCapacity) {
            super(allocator, initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuffer allocateDirect(int initialCapacity) {
            Segment segment = Accelerators.session().allocate(Math.max(1, initialCapacity));
            ByteBuffer buffer = segment.buffer(0, initialCapacity);
            for (int i = 0; i + Long.BYTES <= initialCapacity; i += Long.BYTES) {
                buffer.putLong(i, 0);
            }
            for (int i = initialCapacity & -Long.BYTES; i < initialCapacity; i++) {
                buffer.put(i, (byte) 0);
            }
            SEGMENTS.put(segment.address(), segment);
            return buffer;
        }

        @Override
        protected void freeDirect(ByteBuffer buffer) {
            Segment segment = SEGMENTS.remove(Pointer.nativeValue(Native.getDirectBufferPointer(buffer.duplicate().clear())));
            if (segment != null) {
                segment.close();
            }
        }
    }
}
