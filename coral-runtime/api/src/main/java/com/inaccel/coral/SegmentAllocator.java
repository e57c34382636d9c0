package com.inaccel.coral;

import java.util.Map;
import java.util.TreeMap;
import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.ReferenceManager;
import org.apache.arrow.memory.RootAllocator;

/**
 * An Arrow allocator whose buffers lie in a {@link Segment}, so that filling a vector is shipping it.
 *
 * <p>Buffers of a page or more start on a page, which is what a device needs to use them in place; smaller ones on a
 * cache line. Space of a released buffer is handed out again, so a vector stays open until the requests that use its
 * {@link #slice} have ended. The segment stays its owner's: close vectors, then this, then the segment. Thread-safe.
 */
public final class SegmentAllocator implements AutoCloseable {
    private static final long PAGE_BYTES = 4096;
    private static final long LINE_BYTES = 64;

    private final Segment segment;
    private final FreeSpace free;
    private final BufferAllocator root;
    private boolean closed;

    private SegmentAllocator(Segment segment) {
        this.segment = segment;
        this.free = new FreeSpace(segment.sizeBytes());
        this.root = new RootAllocator(RootAllocator.configBuilder()
            .allocationManagerFactory(new Factory())
            // Arrow's default rounds up to powers of two, which wastes up to half of the segment.
            .roundingPolicy(bytes -> roundUp(bytes, LINE_BYTES))
            .build());
    }

    public static SegmentAllocator over(Segment segment) {
        return new SegmentAllocator(segment);
    }

    /**
     * For Arrow vectors. Throws Arrow's {@link OutOfMemoryException} when the segment is full.
     */
    public BufferAllocator arrow() {
        return root;
    }

    /**
     * The slice of the segment that the first {@code lengthBytes} of the buffer occupy.
     *
     * @throws CoralException OUT_OF_RANGE when the buffer is shorter, or does not lie in this segment
     */
    public Argument.Slice slice(ArrowBuf buffer, long lengthBytes, Argument.Access access) {
        long offset = buffer.memoryAddress() - segment.address();
        if (offset < 0 || offset > segment.sizeBytes() || buffer.capacity() > segment.sizeBytes() - offset) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE,
                "buffer lies outside the segment: segment=" + segment.id() + ", segmentBytes=" + segment.sizeBytes()
                    + ", offsetBytes=" + offset + "; allocate it from this allocator");
        }
        if (lengthBytes < 0 || lengthBytes > buffer.capacity()) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE,
                "slice is longer than its buffer: lengthBytes=" + lengthBytes + ", bufferBytes=" + buffer.capacity()
                    + "; stay within it");
        }
        return new Argument.Slice(segment, offset, lengthBytes, access);
    }

    /** Everything ever handed out lies before this offset: what {@link Segment#seal} must keep. */
    public long usedBytes() {
        return free.highWaterMark();
    }

    /**
     * Idempotent.
     *
     * @throws IllegalStateException when buffers have not been released, naming their bytes
     */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        root.close();
    }

    private static long roundUp(long bytes, long unit) {
        return Math.addExact(bytes, unit - 1) & -unit;
    }

    /** First fit over the free blocks, by offset; neighbours are joined when freed. */
    private static final class FreeSpace {
        private final long limitBytes;
        private final TreeMap<Long, Long> lengthByOffset = new TreeMap<>();
        private long freeBytes;
        private long highWaterMark;

        FreeSpace(long limitBytes) {
            this.limitBytes = limitBytes;
            this.freeBytes = limitBytes;
            lengthByOffset.put(0L, limitBytes);
        }

        synchronized long take(long bytes) {
            long alignment = bytes >= PAGE_BYTES ? PAGE_BYTES : LINE_BYTES;
            for (Map.Entry<Long, Long> block : lengthByOffset.entrySet()) {
                long start = block.getKey();
                long end = start + block.getValue();
                long offset = roundUp(start, alignment);
                if (offset <= end && bytes <= end - offset) {
                    lengthByOffset.remove(start);
                    putUnlessEmpty(start, offset - start);
                    putUnlessEmpty(offset + bytes, end - offset - bytes);
                    freeBytes -= bytes;
                    highWaterMark = Math.max(highWaterMark, offset + bytes);
                    return offset;
                }
            }
            throw new OutOfMemoryException("segment is full: askedBytes=" + bytes + ", freeBytes=" + freeBytes
                + ", limitBytes=" + limitBytes + "; allocate a larger segment, or seal this one and go on in another");
        }

        synchronized void give(long offset, long bytes) {
            freeBytes += bytes;
            long start = offset;
            long end = offset + bytes;
            Map.Entry<Long, Long> before = lengthByOffset.lowerEntry(offset);
            if (before != null && before.getKey() + before.getValue() == offset) {
                start = before.getKey();
            }
            Long after = lengthByOffset.remove(end);
            if (after != null) {
                end += after;
            }
            lengthByOffset.put(start, end - start);
        }

        synchronized long highWaterMark() {
            return highWaterMark;
        }

        private void putUnlessEmpty(long offset, long bytes) {
            if (bytes > 0) {
                lengthByOffset.put(offset, bytes);
            }
        }
    }

    private final class Factory implements AllocationManager.Factory {
        private final ArrowBuf empty = new ArrowBuf(ReferenceManager.NO_OP, null, 0, 0);

        @Override
        public AllocationManager create(BufferAllocator accountingAllocator, long size) {
            return new Block(accountingAllocator, free.take(size), size);
        }

        @Override
        public ArrowBuf empty() {
            return empty;
        }
    }

    /** One block of the segment, which goes back to the free space when Arrow's last reference to it is released. */
    private final class Block extends AllocationManager {
        private final long offset;
        private final long bytes;

        Block(BufferAllocator accountingAllocator, long offset, long bytes) {
            super(accountingAllocator);
            this.offset = offset;
            this.bytes = bytes;
        }

        @Override
        public long getSize() {
            return bytes;
        }

        @Override
        protected long memoryAddress() {
            return segment.address() + offset;
        }

        @Override
        protected void release0() {
            free.give(offset, bytes);
        }
    }
}
