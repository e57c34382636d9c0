package com.inaccel.coral.functions;

import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Runs a function's calls, so many at once and each for so long, on the threads that bring them: a thread of its own for each
 * would be woken twice a call. A call whose time is up is answered at once, by another thread, and its own is interrupted; it
 * keeps its place until it has really ended, so that a function which ignores interrupts cannot pile up.
 */
final class CallRunner implements AutoCloseable {
    private final Function function;
    private final int limit;
    private final HostMetrics metrics;
    private final Executor answering;
    private final Semaphore places;
    private final AtomicInteger overdue = new AtomicInteger();
    private final Set<Running> all = ConcurrentHashMap.newKeySet();
    private final ScheduledThreadPoolExecutor clock;

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

    /** A call on its thread. Ends once: no interrupt meant for it comes later. */
    private static final class Running {
        private final Thread thread = Thread.currentThread();
        private boolean ended; // guarded by this, like the next
        private boolean late;

        /** @return whether it was running still */
        synchronized boolean interrupt(boolean timeUp) {
            if (!ended) {
                late |= timeUp;
                thread.interrupt();
            }
            return !ended;
        }

        /** @return whether its time was not up */
        synchronized boolean end() {
            ended = true;
            Thread.interrupted(); // what comes next on this thread is not meant
            return !late;
        }
    }

    /** @param answering runs what answers late calls: it may have to wait for the caller to read */
    CallRunner(Function function, int limit, HostMetrics metrics, Executor answering) {
        this.function = function;
        this.limit = limit;
        this.metrics = metrics;
        this.answering = answering;
        this.places = new Semaphore(limit);
        clock = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "coral-deadlines");
            thread.setDaemon(true);
            return thread;
        });
        clock.setRemoveOnCancelPolicy(true);
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
     * Calls the function, and gives the place back when that has ended.
     *
     * @param late takes the failure, on another thread, when the call's time is up before it ends
     * @return empty where {@code late} has answered, or is about to
     * @throws FunctionException TIMEOUT where the time is up before it could begin; otherwise whatever the function throws
     */
    Optional<Answer> run(Call call, Place place, Consumer<FunctionException> late) throws Exception {
        long left = call.remaining().toNanos();
        if (left == 0) {
            place.giveBack();
            throw timeUp();
        }
        Running running = new Running();
        Future<?> deadline;
        try {
            deadline = clock.schedule(() -> expire(running, late), left, TimeUnit.NANOSECONDS);
        } catch (RuntimeException | Error noClock) {
            place.giveBack();
            throw noClock;
        }
        all.add(running);
        Answer answer = null;
        Throwable failure = null;
        try {
            answer = function.call(call);
        } catch (Throwable thrown) { // an Error is this call's failure too: an image that fills the heap, say
            failure = thrown;
        }
        deadline.cancel(false);
        boolean inTime = running.end();
        all.remove(running);
        place.giveBack(); // before the answer: who has it may call again at once
        if (!inTime) {
            overdue.decrementAndGet();
            metrics.overdue(-1);
            return Optional.empty();
        }
        if (failure instanceof Exception thrown) {
            throw thrown;
        } else if (failure != null) {
            throw new ExecutionException(failure);
        }
        return Optional.of(answer);
    }

    private void expire(Running running, Consumer<FunctionException> late) {
        overdue.incrementAndGet(); // first: as it ends it takes this back
        if (running.interrupt(true)) {
            metrics.overdue(1);
            answering.execute(() -> late.accept(timeUp()));
        } else {
            overdue.decrementAndGet();
        }
    }

    private static FunctionException timeUp() {
        return new FunctionException(Problem.TIMEOUT, "the call's time is up: what it has done so far stays done; raise "
            + FunctionConfig.Key.TIMEOUT.variable() + " or ask for less");
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
        clock.shutdownNow();
        all.forEach(running -> running.interrupt(false));
    }
}
