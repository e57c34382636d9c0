package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.scheduling.SchedulingPolicy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Between sessions and devices: the life of a request, which waits for earlier ones, then for a device, runs there or on
 * another one if that fails, and ends exactly once. Thread-safe by one lock, under which nothing slow happens: futures are
 * completed outside it.
 */
final class Dispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(36_500);

    final ReentrantLock lock = new ReentrantLock();
    private final LongSupplier clock;
    private final EngineListener listener;
    private final int queueLimit;
    private final long hangNanos;
    private final ScheduledExecutorService timer;
    private final List<DeviceWorker> workers = new ArrayList<>();
    /** By allocation: how many wait for earlier requests. */
    private final Map<String, Integer> parked = new HashMap<>();
    private Scheduler scheduler;
    private boolean closing;
    private long done;
    private long failed;
    private long cancelled;
    private long retries;

    /** @param timer runs deadlines; what it runs must not block */
    Dispatcher(int queueLimit, Duration hang, ScheduledExecutorService timer, LongSupplier clock,
            EngineListener listener) {
        this.queueLimit = queueLimit;
        this.hangNanos = hang.toNanos();
        this.timer = timer;
        this.clock = clock;
        this.listener = listener;
    }

    /** Before the first request. */
    void start(List<DeviceWorker> all, long starvationNanos) {
        workers.addAll(all);
        scheduler = new Scheduler(workers, starvationNanos, clock);
        workers.forEach(DeviceWorker::start);
    }

    /**
     * Takes over the request, whose future ends in any case.
     *
     * @param here whether the calling thread may run it itself, if that is short and could begin at once
     */
    void submit(PendingRequest request, Optional<Duration> timeout, boolean here) {
        request.future.whenComplete((completion, problem) -> ended(request, completion, problem));
        boolean free = request.enter();
        boolean gone = false;
        LaneWorker lent = null;
        CoralException refusal = null;
        lock.lock();
        try {
            if (closing) {
                refusal = new CoralException(ErrorCode.SESSION_CLOSED, "engine is closed; open a new session");
            } else if (timeout.isPresent() && (timeout.get().isNegative() || timeout.get().isZero())) {
                refusal = late(request, timeout.get());
            } else if (waiting(request.allocation) >= queueLimit) {
                refusal = new CoralException(ErrorCode.QUEUE_FULL,
                    "queue is full: allocation=" + request.allocation.name() + ", waiting=" + queueLimit + ", limit="
                        + queueLimit
                        + "; try again when some have ended, or raise " + EngineConfig.Key.QUEUE_LIMIT.id());
            } else if (!scheduler.runsSomewhere(request)) {
                refusal = deviceFailed(request, "no device that can run it is healthy");
            } else if (request.future.isDone()) {
                gone = true;
            } else {
                timeout.filter(limit -> limit.compareTo(LONGEST_TIMEOUT) <= 0)
                    .ifPresent(limit -> request.deadlineNanos = clock.getAsLong() + limit.toNanos());
                if (free || request.free) {
                    lent = scheduler.enqueue(request, here);
                } else {
                    park(request);
                }
            }
        } finally {
            lock.unlock();
        }
        if (gone) {
            leave(request);
        } else if (refusal != null) {
            leave(request);
            request.future.completeExceptionally(refusal);
        } else {
            timeout.ifPresent(limit -> endAfter(request, limit));
        }
        if (lent != null) {
            lent.runLent();
        }
    }

    /** Those that wait for a device, and for earlier requests. With the lock held, like the next two. */
    private int waiting(Allocation allocation) {
        return scheduler.waiting(allocation) + parked.getOrDefault(allocation.name(), 0);
    }

    private void park(PendingRequest request) {
        request.parked = true;
        parked.merge(request.allocation.name(), 1, Integer::sum);
    }

    /** @return whether it was parked */
    private boolean unpark(PendingRequest request) {
        if (!request.parked) {
            return false;
        }
        request.parked = false;
        parked.computeIfPresent(request.allocation.name(), (name, count) -> count == 1 ? null : count - 1);
        return true;
    }

    /** Called once by the request's last owner: lets go of its segments, and lets go ahead whoever waits for it. */
    private void leave(PendingRequest request) {
        request.leave().forEach(this::free);
    }

    private void free(PendingRequest request) {
        CoralException refusal = null;
        lock.lock();
        try {
            request.free = true;
            if (unpark(request)) {
                if (scheduler.runsSomewhere(request)) {
                    scheduler.enqueue(request, false);
                } else {
                    refusal = deviceFailed(request, "no device that can run it is healthy");
                }
            }
        } finally {
            lock.unlock();
        }
        if (refusal != null) {
            leave(request);
            request.future.completeExceptionally(refusal);
        }
    }

    private void endAfter(PendingRequest request, Duration timeout) {
        if (timeout.compareTo(LONGEST_TIMEOUT) > 0) {
            return; // nanoseconds overflow at some 292 years: as good as none
        }
        Future<?> deadline = timer.schedule(() -> request.future.completeExceptionally(late(request, timeout)),
            timeout.toNanos(), TimeUnit.NANOSECONDS);
        request.future.whenComplete((completion, problem) -> deadline.cancel(false));
    }

    private static CoralException late(PendingRequest request, Duration timeout) {
        return new CoralException(ErrorCode.DEADLINE_EXCEEDED,
            "request did not end in time: accelerator=" + request.accelerator + ", timeout=" + timeout
                + "; allow more time, or ask for less work");
    }

    /** @return null when the engine closes, or the device needs mending by this lane */
    Attempt take(LaneWorker lane) throws InterruptedException {
        DeviceWorker worker = lane.worker();
        lock.lock();
        try {
            while (lane.lent || (!closing && !worker.needsMending(lane))) {
                long patience = SchedulingPolicy.NEVER;
                if (!lane.lent && worker.takes()) {
                    patience = scheduler.take(lane);
                    if (lane.attempt != null) {
                        return lane.attempt;
                    }
                }
                if (!lane.lent) {
                    worker.rests(lane);
                }
                if (patience == SchedulingPolicy.NEVER) {
                    lane.wake.await();
                } else {
                    lane.wake.awaitNanos(patience);
                }
                worker.wakes(lane);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    boolean isClosing() {
        lock.lock();
        try {
            return closing;
        } finally {
            lock.unlock();
        }
    }

    /** @return false when the engine closes */
    boolean pause(LaneWorker lane, long nanos) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos;
            while (!closing && left > 0) {
                left = lane.wake.awaitNanos(left);
            }
            return !closing;
        } finally {
            lock.unlock();
        }
    }

    /** The lane has let go of the request, with its result. */
    void succeeded(LaneWorker lane, Attempt attempt, Completion completion) {
        boolean own = attempt.end();
        settle(lane, attempt, completion.runNanos());
        letGo(attempt.request, own);
        if (own) {
            attempt.request.future.complete(completion);
        }
    }

    /** The request itself cannot be run. */
    void refused(LaneWorker lane, Attempt attempt, CoralException problem) {
        boolean own = attempt.end();
        settle(lane, attempt, Scheduler.UNMEASURED);
        letGo(attempt.request, own);
        if (own) {
            attempt.request.future.completeExceptionally(problem);
        }
    }

    /** The device failed under the request, which may run elsewhere, like all others that it worked on. */
    void deviceFailed(LaneWorker lane, Attempt attempt, DeviceFailure failure) {
        DeviceWorker worker = lane.worker();
        boolean own = attempt.end();
        if (fail(worker)) {
            LOG.error("device failed: {}", failure.getMessage());
            listener.deviceFailed(worker.device().info(), failure.getMessage());
            takeAway(worker, failure.getMessage());
        }
        settle(lane, attempt, Scheduler.UNMEASURED);
        if (own) {
            runElsewhere(worker, attempt.request, failure.getMessage());
        } else {
            attempt.request.release();
        }
    }

    private void letGo(PendingRequest request, boolean own) {
        if (own) {
            leave(request);
        } else {
            request.release();
        }
    }

    /** The lane's last word on the attempt. The last lane to let go of a failing device brings it back first. */
    private void settle(LaneWorker lane, Attempt attempt, long runNanos) {
        DeviceWorker worker = lane.worker();
        worker.programming().leave(attempt.stint);
        boolean recovers;
        lock.lock();
        try {
            long now = clock.getAsLong();
            lane.attempt = null;
            scheduler.settle(attempt, runNanos, now);
            recovers = worker.end(now);
        } finally {
            lock.unlock();
        }
        if (recovers) {
            worker.recover();
        }
    }

    /** @return whether it was well before */
    private boolean fail(DeviceWorker worker) {
        lock.lock();
        try {
            return worker.fail();
        } finally {
            lock.unlock();
        }
    }

    /**
     * From a device that failed, what it works on: what is on it is lost. Not from one that shares the host's memory: it may
     * write there at any later time, so that its requests are never given up.
     */
    private void takeAway(DeviceWorker worker, String failure) {
        if (worker.device().sharesHostMemory()) {
            return;
        }
        for (LaneWorker lane : worker.lanes()) {
            Attempt attempt = lane.attempt;
            if (attempt != null && attempt.abandon()) {
                runElsewhere(worker, attempt.request, failure);
            }
        }
    }

    /** Takes over the request. */
    private void runElsewhere(DeviceWorker worker, PendingRequest request, String failure) {
        boolean again;
        lock.lock();
        try {
            boolean first = request.failedOn < 0;
            request.failedOn = worker.index();
            again = first && !closing && !request.future.isDone() && !request.arguments.updatesInPlace()
                && scheduler.runsSomewhere(request);
            if (again) {
                retries++;
                request.failure = failure;
                scheduler.enqueue(request, false);
            }
        } finally {
            lock.unlock();
        }
        if (again) {
            LOG.warn("request runs again elsewhere: accelerator={}, {}", request.accelerator, failure);
        } else {
            leave(request);
            request.future.completeExceptionally(deviceFailed(request, failure));
        }
    }

    /** Requests that no healthy device can run must not wait for ever. */
    void healthChanged(DeviceWorker worker, boolean healthy) {
        List<PendingRequest> stranded = new ArrayList<>();
        lock.lock();
        try {
            worker.setHealthy(healthy);
            scheduler.waiting().stream().filter(request -> !scheduler.runsSomewhere(request)).forEach(stranded::add);
            workers.forEach(DeviceWorker::wakeAll);
        } finally {
            lock.unlock();
        }
        // Ending the future takes the request out of the queue.
        stranded.forEach(request -> request.future.completeExceptionally(
            deviceFailed(request, "device=" + worker.device().info().id() + " failed")));
    }

    /** Gives up on devices that take too long over one step of a request; called now and then. */
    void checkForHangs() {
        for (DeviceWorker worker : workers) {
            if (!worker.device().sharesHostMemory() && worker.lanes().stream().anyMatch(this::hangs)) {
                giveUp(worker);
            }
        }
    }

    private boolean hangs(LaneWorker lane) {
        Attempt attempt = lane.attempt;
        return attempt != null && attempt.stepNanos(clock.getAsLong()) > hangNanos && attempt.mayAbandon();
    }

    private void giveUp(DeviceWorker worker) {
        String failure = "device=" + worker.device().info().id() + ", problem=hangs, hangMillis="
            + TimeUnit.NANOSECONDS.toMillis(hangNanos);
        LOG.error("device hangs: {}", failure);
        if (fail(worker)) {
            listener.deviceHung(worker.device().info(), failure);
        }
        healthChanged(worker, false);
        takeAway(worker, failure);
        worker.device().abort();
    }

    void forget(Allocation allocation) {
        lock.lock();
        try {
            scheduler.forget(allocation);
        } finally {
            lock.unlock();
        }
    }

    /** Ends what waits; what runs ends by itself. */
    void close() {
        List<PendingRequest> waiting;
        lock.lock();
        try {
            closing = true;
            waiting = scheduler.waiting();
            workers.forEach(DeviceWorker::wakeAll);
        } finally {
            lock.unlock();
        }
        waiting.forEach(request -> request.future.completeExceptionally(
            new CoralException(ErrorCode.SESSION_CLOSED, "engine closed while the request waited; open a new session")));
    }

    EngineStats stats(SharedMemory memory, long hostFallbacks, int bitstreamsRefused) {
        List<AllocationStats> allocations = memory.allocations();
        lock.lock();
        try {
            allocations = allocations.stream().map(one -> one.withWaiting(waiting(one.allocation()))).toList();
            long now = clock.getAsLong();
            int waiting = scheduler.size() + parked.values().stream().mapToInt(Integer::intValue).sum();
            return new EngineStats(workers.stream().map(worker -> worker.stats(now)).toList(), allocations, done,
                failed, cancelled, waiting, memory.usedBytes(), memory.pooledBytes(), memory.limitBytes(), hostFallbacks, retries,
                bitstreamsRefused);
        } finally {
            lock.unlock();
        }
    }

    /** What the lane was lent for is over. */
    void returned(LaneWorker lane) {
        lock.lock();
        try {
            lane.lent = false;
            if (scheduler.size() > 0 || closing || !lane.worker().takes()) {
                lane.wake.signal();
            } else {
                lane.worker().rests(lane);
            }
        } finally {
            lock.unlock();
        }
    }

    /** However the future ended: takes the request out of the queue if it waits still. */
    private void ended(PendingRequest request, Completion completion, Throwable problem) {
        boolean waited = false;
        lock.lock();
        try {
            if (problem == null) {
                done++;
            } else if (problem instanceof CancellationException) {
                cancelled++;
            } else {
                failed++;
            }
            waited = scheduler.remove(request) || unpark(request);
        } finally {
            lock.unlock();
        }
        if (waited) {
            leave(request);
        }
        if (problem == null) {
            listener.requestDone(request.allocation, request.accelerator, completion);
        } else {
            ErrorCode code = problem instanceof CoralException coral ? coral.code()
                : problem instanceof CancellationException ? ErrorCode.CANCELLED : ErrorCode.INTERNAL;
            listener.requestFailed(request.allocation, request.accelerator, code, String.valueOf(problem.getMessage()));
        }
    }

    EngineListener listener() {
        return listener;
    }

    private static CoralException deviceFailed(PendingRequest request, String failure) {
        return new CoralException(ErrorCode.DEVICE_FAILED,
            "device failed: accelerator=" + request.accelerator + ", " + failure
                + (request.failure.isEmpty() ? "" : ", before that: " + request.failure)
                + "; see the devices' state, it returns when it is healthy again");
    }
}
