package com.inaccel.coral;

import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * One client's connection to a manager, or to the same engine inside this JVM. Thread-safe.
 *
 * <p>Whoever opened it closes it; closing cancels its requests and frees its segments.
 */
public interface Session extends AutoCloseable {
    /**
     * Mints a segment of at least {@code bytes} (rounded up to whole pages), readable and writable, its contents
     * undefined but never another tenant's.
     *
     * @throws CoralException QUOTA_EXCEEDED or SHARED_MEMORY_EXHAUSTED (requested, free and limit in bytes), or
     *     INVALID_ARGUMENT outside 1..{@link Segment#MAX_BYTES}
     */
    Segment allocate(long bytes);

    /**
     * Hands a request in. The future ends with its {@link Completion}, or exceptionally with a {@link CoralException};
     * cancelling the future cancels the request, at whatever stage it is: once the future is done, and {@link
     * Segment#close} aside, the device writes to none of its slices any more, except that a cancelled request which
     * already runs may go on writing until the device lets go of it.
     *
     * <p>Requests run in any order and several at once, except where they conflict: a request that writes bytes which another
     * one of this session reads or writes keeps its place before or after it, in the order of submission, whatever their
     * priorities and however the earlier one ends. So neither waiting nor another segment is needed to chain requests, and what
     * a cancelled request still writes spoils none that is submitted after it.
     */
    CompletableFuture<Completion> submit(Request request);

    /** Names of the accelerators that some device here can run. */
    Set<String> accelerators();

    List<DeviceInfo> devices();

    /** Where this session leads: {@code unix:/run/coral/coral.sock} or {@code embedded:}. */
    String address();

    /** False once it is closed or its connection broke: segments and requests are gone then, and a new one is needed. */
    boolean isOpen();

    @Override
    void close();
}
