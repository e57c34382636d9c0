package com.inaccel.coral.functions;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Runs a function's calls, so many at once and each for so long. A call whose time is up is answered at once and its thread
 * interrupted; it keeps its place until it has really ended, so that a function which ignores interrupts cannot pile up.
 */
final class CallRunner implements AutoCloseable {
    private final Function function;
    private final int limit;
    private final HostMetrics metrics;
    private final Semaphore places;
    private final AtomicInteger overdue = new AtomicInteger();
    private final ExecutorService threads;

    /** A place among the calls that run. Whoever has it closes it, or hands it to {@link #run}. */
    final class Place {
        private Place() {
            metrics.running(1);
        }

        void giveBack() {
            metrics.running(-1);
            places.release();
        }
    }

    CallRunner(Function function, int limit, HostMetrics metrics) {
        this.function = function;
        this.limit = limit;
        this.metrics = metrics;
        this.places = new Semaphore(limit);
        AtomicInteger count = new AtomicInteger();
        this.threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "coral-call-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** @throws FunctionException TOO_MANY_CALLS where none is free */
    Place take() {
        if (!places.tryAcquire()) {
            throw new FunctionException(Problem.TOO_MANY_CALLS, "as many calls run as may at once: limit=" + limit
                + "; come back in a second, or raise " + FunctionConfig.Key.CONCURRENCY.variable());
        }
        return new Place();
    }

    /**
     * Calls the function. The place goes back when the call ends, which may be after this has returned.
     *
     * @throws FunctionException TIMEOUT where the call's time is up; otherwise whatever the function throws
     */
    Answer run(Call call, Place place) throws Exception {
        CompletableFuture<Answer> answer = new CompletableFuture<>();
        AtomicBoolean begun = new AtomicBoolean(); // by its thread, or never to be
        Future<?> task;
        try {
            task = threads.submit(() -> {
                if (begun.compareAndSet(false, true)) {
                    runHere(call, answer, place);
                }
            });
        } catch (RuntimeException | Error noThread) {
            place.giveBack();
            throw noThread;
        }
        try {
            return answer.get(call.remaining().toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            FunctionException timeUp = new FunctionException(Problem.TIMEOUT, "the call's time is up: what it has done so far "
                + "stays done; raise " + FunctionConfig.Key.TIMEOUT.variable() + " or ask for less", e);
            if (begun.compareAndSet(false, true)) {
                place.giveBack();
                throw timeUp;
            }
            if (answer.completeExceptionally(timeUp)) { // else it ended at the last moment
                overdue.incrementAndGet();
                metrics.overdue(1);
                task.cancel(true);
            }
            return unwrap(answer);
        } catch (ExecutionException e) {
            return unwrap(answer);
        }
    }

    private static Answer unwrap(CompletableFuture<Answer> answer) throws Exception {
        try {
            return answer.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Exception thrown) {
                throw thrown;
            }
            throw e;
        }
    }

    private void runHere(Call call, CompletableFuture<Answer> answer, Place place) {
        Answer result = null;
        Throwable failure = null;
        try {
            result = function.call(call);
        } catch (Throwable thrown) { // an Error is this call's failure too: an image that fills the heap, say
            failure = thrown;
        }
        place.giveBack(); // first: who has the answer may call again at once
        if (!(failure == null ? answer.complete(result) : answer.completeExceptionally(failure))) {
            overdue.decrementAndGet();
            metrics.overdue(-1);
        }
    }

    /** Calls that run. */
    int running() {
        return limit - places.availablePermits();
    }

    /** Whether calls that ignore that their time is up have taken every place: only another process helps then. */
    boolean isStuck() {
        return overdue.get() >= limit;
    }

    /** Interrupts what still runs. */
    @Override
    public void close() {
        threads.shutdownNow();
    }
}
