package com.inaccel.coral;

import java.nio.ByteBuffer;

/**
 * A piece of shared memory, minted by the manager and mapped by both sides, so that filling it is shipping it.
 *
 * <p>Page-aligned (4096 bytes) and below 2 GiB. Its owner fills it, may {@link #seal} it, passes slices of it to
 * requests, and closes it. Closing while a request still uses it is safe: the memory goes when that request ends. Not
 * thread-safe against use after close: the owner orders {@link #close} after its own last access.
 */
public interface Segment extends AutoCloseable {
    /** Largest size of one segment in bytes: 2 GiB less one page. */
    long MAX_BYTES = (1L << 31) - 4096;

    /** Unique within the session. */
    long id();

    /** Usable bytes: a multiple of 4096; after {@link #seal} no less than the bytes declared used. */
    long sizeBytes();

    /** Address of the first byte in this process. */
    long address();

    /**
     * A view in native byte order.
     *
     * @throws CoralException OUT_OF_RANGE unless {@code 0 <= offset <= offset + length <= sizeBytes()}
     */
    ByteBuffer buffer(long offsetBytes, long lengthBytes);

    /**
     * Promises that nothing will be written any more, and gives back the pages after the first {@code usedBytes}. Only a
     * sealed segment can become resident on a device. Idempotent.
     */
    void seal(long usedBytes);

    boolean isSealed();

    /** Gives the memory back. Idempotent. */
    @Override
    void close();
}
