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
     *
     * <p>Where a manager goes while the request is outstanding, the next one runs it again: accelerators that have no
     * READ_WRITE slice depend on nothing else. A request with one, or whose input a later outstanding request writes, may
     * have been run half-way, and fails with CONNECTION_LOST.
     */
    CompletableFuture<Completion> submit(Request request);

    /** Names of the accelerators that some device here can run. */
    Set<String> accelerators();

    List<DeviceInfo> devices();

    /** Where this session leads: {@code unix:/run/coral/coral.sock} or {@code embedded:}. */
    String address();

    /**
     * False once it is closed, or its manager went and none came in its place: segments and requests are gone then, and a
     * new session is needed. While it looks for the next manager it is open, and what is asked of it waits.
     */
    boolean isOpen();

    @Override
    void close();
}
