package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A memory file whose size nobody can change any more, mapped readable and writable into this process.
 *
 * <p>It has no name in any file system: it lives as long as a descriptor or a mapping of it does, in whatever process.
 * Its descriptor may be handed to an untrusted peer, because the seals make the one attack impossible that a mapping
 * cannot survive: truncation under it. This object owns descriptor and mapping; {@link #close} gives both back, after
 * which neither {@link #address} nor a view from {@link #buffer} may be touched. Thread-safe but for that.
 */
public final class SealedMemory implements AutoCloseable {
    /** Sizes are multiples of this; the unit of {@link #trim}. */
    public static final int PAGE_BYTES = 4096;

    /**
     * The first two keep the size. The last keeps further seals off, which a peer could use to forbid a later mapping.
     */
    private static final int SEALS = LibC.F_SEAL_SHRINK | LibC.F_SEAL_GROW | LibC.F_SEAL_SEAL;
    private static final int FORBIDDEN_SEALS = LibC.F_SEAL_WRITE | LibC.F_SEAL_FUTURE_WRITE;
    private static final int STATX_BLOCK_BYTES = 512;
    private static final AtomicLong LIVE_COUNT = new AtomicLong();
    private static final AtomicLong LIVE_BYTES = new AtomicLong();

    private final int descriptor;
    private final Pointer mapping;
    private final long sizeBytes;
    private volatile boolean closed;

    /** Takes ownership of the descriptor, and closes it when it cannot be mapped. */
    private SealedMemory(int descriptor, long sizeBytes) {
        Pointer mapped = LibC.mmap(null, sizeBytes, LibC.PROT_READ_WRITE, LibC.MAP_SHARED, descriptor, 0);
        if (Pointer.nativeValue(mapped) == LibC.MAP_FAILED) {
            throw failureAndClose("map", descriptor, sizeBytes);
        }
        this.descriptor = descriptor;
        this.mapping = mapped;
        this.sizeBytes = sizeBytes;
        LIVE_COUNT.incrementAndGet();
        LIVE_BYTES.addAndGet(sizeBytes);
    }

    /**
     * Creates zeroed memory of {@code bytes}, rounded up to whole pages. Pages take memory when first touched.
     *
     * @param name shows up in {@code /proc/PID/maps}
     * @throws CoralException SHARED_MEMORY_EXHAUSTED when memory or descriptors have run out
     */
    public static SealedMemory create(String name, long bytes) {
        if (bytes < 1 || bytes > Long.MAX_VALUE - PAGE_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a size of shared memory: bytes=" + bytes + "; ask for at least 1");
        }
        long size = roundUpToPages(bytes);
        int descriptor = LibC.memfd_create(name, LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING);
        if (descriptor < 0) {
            throw failure("create", size);
        }
        if (LibC.ftruncate(descriptor, size) != 0) {
            throw failureAndClose("size", descriptor, size);
        }
        if (LibC.fcntl(descriptor, LibC.F_ADD_SEALS, SEALS) != 0) {
            throw failureAndClose("seal", descriptor, size);
        }
        return new SealedMemory(descriptor, size);
    }

    /**
     * Maps memory whose descriptor came from a peer. Owns the descriptor from the call on, also when it throws.
     *
     * @throws CoralException INVALID_ARGUMENT unless it is sealed memory of exactly {@code expectedBytes}
     */
    public static SealedMemory adopt(int descriptor, long expectedBytes) {
        try {
            requireSealed(descriptor, expectedBytes);
        } catch (CoralException e) {
            LibC.close(descriptor);
            throw e;
        }
        return new SealedMemory(descriptor, expectedBytes);
    }

    private static void requireSealed(int descriptor, long expectedBytes) {
        int seals = LibC.fcntl(descriptor, LibC.F_GET_SEALS, 0);
        if (seals < 0 || (seals & SEALS) != SEALS || (seals & FORBIDDEN_SEALS) != 0) {
            throw notSealedMemory("seals=" + seals + ", required=" + SEALS);
        }
        int mode = LibC.fcntl(descriptor, LibC.F_GETFL, 0) & LibC.O_ACCMODE;
        if (mode != LibC.O_RDWR) {
            throw notSealedMemory("accessMode=" + mode + ", required=" + LibC.O_RDWR);
        }
        // Huge-page files carry seals too, but touching one without free huge pages kills the process.
        byte[] fileSystem = new byte[LibC.STATFS_LENGTH];
        if (LibC.fstatfs(descriptor, fileSystem) != 0 || longAt(fileSystem, 0) != LibC.TMPFS_MAGIC) {
            throw notSealedMemory("fileSystem=0x" + Long.toHexString(longAt(fileSystem, 0)));
        }
        long size = statx(descriptor, LibC.STATX_SIZE_OFFSET);
        if (size != expectedBytes || size < PAGE_BYTES || size % PAGE_BYTES != 0) {
            throw notSealedMemory("sizeBytes=" + size + ", expectedBytes=" + expectedBytes);
        }
    }

    private static CoralException notSealedMemory(String what) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "not a descriptor of sealed memory: " + what + "; the peer must pass what SealedMemory.create made");
    }

    /** Still owned by this object: duplicate it to keep it. */
    public int descriptor() {
        return descriptor;
    }

    /** A descriptor of the same memory that the caller owns, and that outlives this object. */
    synchronized int duplicateDescriptor() {
        requireOpen();
        int duplicate = LibC.fcntl(descriptor, LibC.F_DUPFD_CLOEXEC, 0);
        if (duplicate < 0) {
            throw failure("duplicate", sizeBytes);
        }
        return duplicate;
    }

    /** Address of the first byte in this process; page-aligned. */
    public long address() {
        return Pointer.nativeValue(mapping);
    }

    public long sizeBytes() {
        return sizeBytes;
    }

    /**
     * A view in native byte order, of at most 2 GiB less one byte.
     *
     * @throws CoralException OUT_OF_RANGE unless {@code 0 <= offset <= offset + length <= sizeBytes()}
     */
    public ByteBuffer buffer(long offsetBytes, long lengthBytes) {
        requireOpen();
        // Compared by subtraction: offset + length may overflow.
        if (offsetBytes < 0 || lengthBytes < 0 || offsetBytes > sizeBytes || lengthBytes > sizeBytes - offsetBytes
                || lengthBytes > Integer.MAX_VALUE) {
            throw outOfRange("offsetBytes=" + offsetBytes + ", lengthBytes=" + lengthBytes);
        }
        return mapping.getByteBuffer(offsetBytes, lengthBytes).order(ByteOrder.nativeOrder());
    }

    /** Gives back the pages after the one that holds the last of {@code usedBytes}; they read as zeros from then on. */
    public synchronized void trim(long usedBytes) {
        requireOpen();
        if (usedBytes < 0 || usedBytes > sizeBytes) {
            throw outOfRange("usedBytes=" + usedBytes);
        }
        long kept = roundUpToPages(usedBytes);
        if (kept < sizeBytes) {
            int mode = LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE;
            if (LibC.fallocate(descriptor, mode, kept, sizeBytes - kept) != 0) {
                throw failure("trim", sizeBytes - kept);
            }
        }
    }

    /** What it really takes: the pages that were touched, by whomever, and not trimmed. */
    public synchronized long committedBytes() {
        requireOpen();
        return statx(descriptor, LibC.STATX_BLOCKS_OFFSET) * STATX_BLOCK_BYTES;
    }

    public boolean isClosed() {
        return closed;
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        int unmapped = LibC.munmap(mapping, sizeBytes);
        int unmapErrno = LibC.errno();
        LibC.close(descriptor);
        LIVE_COUNT.decrementAndGet();
        LIVE_BYTES.addAndGet(-sizeBytes);
        if (unmapped != 0) {
            throw new CoralException(ErrorCode.INTERNAL,
                "shared memory does not unmap: errno=" + unmapErrno + ", bytes=" + sizeBytes);
        }
    }

    /** How many are mapped into this process. */
    public static long liveCount() {
        return LIVE_COUNT.get();
    }

    /** Bytes of address space that all of them take. */
    public static long liveBytes() {
        return LIVE_BYTES.get();
    }

    static long roundUpToPages(long bytes) {
        return Math.addExact(bytes, PAGE_BYTES - 1) & -PAGE_BYTES;
    }

    private void requireOpen() {
        if (closed) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT,
                "segment is closed: sizeBytes=" + sizeBytes + "; use it before closing it");
        }
    }

    private CoralException outOfRange(String what) {
        return new CoralException(ErrorCode.OUT_OF_RANGE,
            "outside the segment: " + what + ", sizeBytes=" + sizeBytes + "; stay within it");
    }

    private static long statx(int descriptor, int fieldOffset) {
        byte[] result = new byte[LibC.STATX_LENGTH];
        if (LibC.statx(descriptor, "", LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, result) != 0) {
            throw failure("stat", 0);
        }
        return longAt(result, fieldOffset);
    }

    private static long longAt(byte[] struct, int offset) {
        return ByteBuffer.wrap(struct).order(ByteOrder.nativeOrder()).getLong(offset);
    }

    private static CoralException failureAndClose(String step, int descriptor, long bytes) {
        CoralException failure = failure(step, bytes); // before close, which may change errno
        LibC.close(descriptor);
        return failure;
    }

    private static CoralException failure(String step, long bytes) {
        int errno = LibC.errno();
        return switch (errno) {
            case LibC.ENOMEM, LibC.ENOSPC -> new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED,
                "no memory left for shared memory: step=" + step + ", bytes=" + bytes + ", errno=" + errno
                    + "; free segments or give the process more memory");
            case LibC.EMFILE, LibC.ENFILE -> new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED,
                "no descriptor left for shared memory: step=" + step + ", live=" + liveCount() + ", errno=" + errno
                    + "; free segments or raise the limit of open files");
            default -> new CoralException(ErrorCode.INTERNAL,
                "shared memory call failed: step=" + step + ", bytes=" + bytes + ", errno=" + errno);
        };
    }
}
