package com.inaccel.coral.engine;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** The one owner of one OpenCL object. */
final class ClHandle<T> implements AutoCloseable {
    private static final AtomicLong LIVE = new AtomicLong();

    private final T handle;
    private final Consumer<T> release;
    private boolean closed;

    private ClHandle(T handle, Consumer<T> release) {
        this.handle = handle;
        this.release = release;
        LIVE.incrementAndGet();
    }

    static <T> ClHandle<T> of(Supplier<T> create, Consumer<T> release) {
        return new ClHandle<>(create.get(), release);
    }

    T get() {
        return handle;
    }

    /** OpenCL objects that this process owns. */
    static long liveCount() {
        return LIVE.get();
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            LIVE.decrementAndGet();
            release.accept(handle);
        }
    }
}
