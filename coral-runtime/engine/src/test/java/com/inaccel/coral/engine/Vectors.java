package com.inaccel.coral.engine;

import java.util.List;
import java.nio.ByteBuffer;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Session;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** Requests of Vector.Add on memory of their own, and how tests wait. */
final class Vectors implements AutoCloseable {
    static final String ADD = "com.inaccel.math.Vector.Add";
    static final Allocation TENANT = new Allocation("tenant", 1L << 30, 1);
    private static final long PATIENCE_SECONDS = 60;
    private static final long POLL_NANOS = 100_000;

    final EngineSegment inputs;
    final EngineSegment output;
    final int n;
    private final Session session;
    private final int seed;

    /** Inputs a and b in one segment, sealed; the output in another. */
    Vectors(EngineSession session, int n, int seed) {
        this.session = session;
        this.n = n;
        this.seed = seed;
        inputs = session.allocate(2 * bytes());
        output = session.allocate(bytes());
        FloatBuffer floats = inputs.buffer(0, 2 * bytes()).asFloatBuffer();
        for (int i = 0; i < n; i++) {
            floats.put(i, a(i));
            floats.put(n + i, b(i));
        }
        inputs.seal(2 * bytes());
    }

    long bytes() {
        return (long) n * Float.BYTES;
    }

    Request.Builder request() {
        return Request.of(ADD).read(inputs, 0, bytes()).read(inputs, bytes(), bytes()).write(output, 0, bytes()).arg(n);
    }

    CompletableFuture<Completion> submit() {
        return session.submit(request().build());
    }

    Completion run() {
        clearOutput();
        Completion completion = get(submit());
        requireSums();
        return completion;
    }

    void clearOutput() {
        FloatBuffer sums = output.buffer(0, bytes()).asFloatBuffer();
        for (int i = 0; i < n; i++) {
            sums.put(i, Float.NaN);
        }
    }

    void requireSums() {
        FloatBuffer sums = output.buffer(0, bytes()).asFloatBuffer();
        for (int i = 0; i < n; i++) {
            if (sums.get(i) != a(i) + b(i)) {
                assertThat(sums.get(i)).as("sum at " + i).isEqualTo(a(i) + b(i));
            }
        }
    }

    private float a(int i) {
        return seed + i * 0.25f;
    }

    private float b(int i) {
        return 3f * seed - i;
    }

    @Override
    public void close() {
        inputs.close();
        output.close();
    }

    static <T> T get(CompletableFuture<T> future) {
        try {
            return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new AssertionError(e.getCause());
        } catch (InterruptedException | TimeoutException e) {
            throw new AssertionError("did not end", e);
        }
    }

    static CoralException failure(CompletableFuture<?> future) {
        return failure(() -> get(future));
    }

    static CoralException failure(ThrowingCallable call) {
        try {
            call.call();
        } catch (CoralException e) {
            return e;
        } catch (Throwable e) {
            throw new AssertionError("not a CoralException", e);
        }
        throw new AssertionError("did not fail");
    }

    static void requireFailure(CompletableFuture<?> future, ErrorCode code, String... fragments) {
        CoralException failure = failure(future);
        assertThat(failure.code()).as(failure.getMessage()).isEqualTo(code);
        for (String fragment : fragments) {
            assertThat(failure.getMessage()).contains(fragment);
        }
    }

    /** The built-in bitstreams and those in a directory, all of which must be usable. */
    static BitstreamStore bitstreams(Path directory) {
        BitstreamStore store =
            BitstreamStore.builtIn().reload(List.of(directory), Signatures.of(EngineConfig.defaults()));
        store.refused().forEach(info -> {
            throw new CoralException(ErrorCode.BAD_BITSTREAM, info.problem());
        });
        return store;
    }

    /** Polls, for what happens on other threads without a future to wait for. */
    static void eventually(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - deadline).as("still waiting until " + what).isNegative();
            LockSupport.parkNanos(POLL_NANOS);
        }
    }

    /** Puts all buffers into one sealed segment and adds them to the request in order. */
    static EngineSegment put(EngineSession session, List<ByteBuffer> buffers, Request.Builder request) {
        long bytes = buffers.stream().mapToLong(buffer -> (buffer.capacity() + 63L) / 64 * 64).sum();
        EngineSegment segment = session.allocate(Math.max(1, bytes));
        long offset = 0;
        for (ByteBuffer buffer : buffers) {
            segment.buffer(offset, buffer.capacity()).put(buffer.duplicate());
            request.read(segment, offset, buffer.capacity());
            offset += (buffer.capacity() + 63L) / 64 * 64;
        }
        segment.seal(bytes);
        return segment;
    }
}
