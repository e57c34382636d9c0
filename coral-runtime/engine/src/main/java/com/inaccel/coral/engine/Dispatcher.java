package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.engine.SchedulingPolicy.Decision;
import com.inaccel.coral.engine.SchedulingPolicy.Entry;
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
 * Between sessions and devices: queues requests, hands them to the devices' threads as the policy decides, and ends each
 * exactly once. Thread-safe by one lock, under which nothing slow happens: futures are completed outside it.
 */
final class Dispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);
    /** What copying to a device is taken to cost: PCIe at some 10 GB/s. */
    private static final double COPY_NANOS_PER_BYTE = 0.1;
    /** What a request costs whatever it moves. */
    private static final long BASE_COST_NANOS = 20_000;
    private static final double FIRST_COST_NANOS_PER_BYTE = 0.1;
    /** Weight of the newest measurement. */
    private static final double SMOOTHING = 0.2;
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(36_500);

    final ReentrantLock lock = new ReentrantLock();
    private final LongSupplier clock;
    private final EngineListener listener;
    private final int queueLimit;
    private final long hangNanos;
    private final ScheduledExecutorService timer;
    private final List<DeviceWorker> workers = new ArrayList<>();
    private final Map<String, Double> costNanosPerByte = new HashMap<>();
    private SchedulingPolicy<PendingRequest> policy;
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

    /** A request on a device. */
    static final class Attempt {
        private enum State { RUNNING, PUBLISHING, ABANDONED, ENDED }

        final PendingRequest request;
        final long takenNanos;
        private final Entry<PendingRequest> entry;
        private State state = State.RUNNING;

        private Attempt(PendingRequest request, Entry<PendingRequest> entry, long takenNanos) {
            this.request = request;
            this.entry = entry;
            this.takenNanos = takenNanos;
        }

        /** Whether results may still be copied to the host; after that it cannot be given up. */
        synchronized boolean mayPublish() {
            if (state == State.RUNNING && !request.future.isDone()) {
                state = State.PUBLISHING;
            }
            return state == State.PUBLISHING;
        }

        /** Where it succeeds, the caller has one use of the request. */
        private synchronized boolean abandon() {
            if (state != State.RUNNING) {
                return false;
            }
            state = State.ABANDONED;
            request.retain(); // the device's use lasts until end() has returned
            return true;
        }

        /** The device has let go. @return whether the request is the device's still to end */
        private synchronized boolean end() {
            boolean own = state != State.ABANDONED;
            state = State.ENDED;
            return own;
        }
    }

    /** Before the first request. */
    void start(List<DeviceWorker> all, long starvationNanos) {
        workers.addAll(all);
        policy = new SchedulingPolicy<>(workers.size(), this::penaltyNanos, starvationNanos);
        workers.forEach(DeviceWorker::start);
    }

    /** Takes over the request, whose future ends in any case. */
    void submit(PendingRequest request, Optional<Duration> timeout) {
        request.future.whenComplete((completion, problem) -> ended(request, completion, problem));
        CoralException refusal = null;
        lock.lock();
        try {
            if (closing) {
                refusal = new CoralException(ErrorCode.SESSION_CLOSED, "engine is closed; open a new session");
            } else if (timeout.isPresent() && (timeout.get().isNegative() || timeout.get().isZero())) {
                refusal = late(request, timeout.get());
            } else if (policy.waiting(request.allocation.name()) >= queueLimit) {
                refusal = new CoralException(ErrorCode.QUEUE_FULL,
                    "queue is full: allocation=" + request.allocation.name() + ", waiting=" + queueLimit + ", limit="
                        + queueLimit
                        + "; try again when some have ended, or raise " + EngineConfig.Key.QUEUE_LIMIT.id());
            } else if (!runsSomewhere(request)) {
                refusal = deviceFailed(request, "no device that can run it is healthy");
            } else if (!request.future.isDone()) {
                enqueue(request);
            } else {
                request.release();
            }
        } finally {
            lock.unlock();
        }
        if (refusal != null) {
            request.release();
            request.future.completeExceptionally(refusal);
        } else {
            timeout.ifPresent(limit -> endAfter(request, limit));
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

    /** @return null when the engine closes or the device needs mending */
    Attempt take(DeviceWorker worker) throws InterruptedException {
        lock.lock();
        try {
            while (!closing && worker.healthy) {
                long now = clock.getAsLong();
                Decision<PendingRequest> decision = policy.select(worker.index(), now);
                if (decision.entry().isPresent()) {
                    Entry<PendingRequest> entry = decision.entry().get();
                    entry.request().entry = null;
                    worker.attempt = new Attempt(entry.request(), entry, now);
                    return worker.attempt;
                }
                worker.idle = true;
                if (decision.waitNanos() == SchedulingPolicy.NEVER) {
                    worker.wake.await();
                } else {
                    worker.wake.awaitNanos(decision.waitNanos());
                }
                worker.idle = false;
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
    boolean pause(DeviceWorker worker, long nanos) throws InterruptedException {
        lock.lock();
        try {
            long left = nanos;
            while (!closing && left > 0) {
                left = worker.wake.awaitNanos(left);
            }
            return !closing;
        } finally {
            lock.unlock();
        }
    }

    /** The device has let go of the request, with its result. */
    void succeeded(DeviceWorker worker, Attempt attempt, Completion completion, long runNanos) {
        boolean own = attempt.end();
        lock.lock();
        try {
            long bytes = attempt.request.arguments.sliceBytes();
            costNanosPerByte.merge(attempt.request.accelerator, (double) runNanos / Math.max(bytes, 1),
                (old, latest) -> old + SMOOTHING * (latest - old));
            settle(worker, attempt);
        } finally {
            lock.unlock();
        }
        attempt.request.release();
        if (own) {
            attempt.request.future.complete(completion);
        }
    }

    /** The request itself cannot be run. */
    void refused(DeviceWorker worker, Attempt attempt, CoralException problem) {
        boolean own = attempt.end();
        lock.lock();
        try {
            settle(worker, attempt);
        } finally {
            lock.unlock();
        }
        attempt.request.release();
        if (own) {
            attempt.request.future.completeExceptionally(problem);
        }
    }

    /** The device failed under the request, which may run elsewhere. */
    void deviceFailed(DeviceWorker worker, Attempt attempt, DeviceFailure failure) {
        boolean own = attempt.end();
        lock.lock();
        try {
            settle(worker, attempt);
        } finally {
            lock.unlock();
        }
        if (own) {
            runElsewhere(worker, attempt.request, failure.getMessage());
        } else {
            attempt.request.release();
        }
    }

    /** Takes over one use of the request. */
    private void runElsewhere(DeviceWorker worker, PendingRequest request, String failure) {
        boolean again;
        lock.lock();
        try {
            boolean first = request.failedOn < 0;
            request.failedOn = worker.index();
            again = first && !closing && !request.future.isDone() && !request.arguments.updatesInPlace()
                && runsSomewhere(request);
            if (again) {
                retries++;
                request.failure = failure;
                enqueue(request);
            }
        } finally {
            lock.unlock();
        }
        if (again) {
            LOG.warn("request runs again elsewhere: accelerator={}, {}", request.accelerator, failure);
        } else {
            request.release();
            request.future.completeExceptionally(deviceFailed(request, failure));
        }
    }

    /** Requests that no healthy device can run must not wait for ever. */
    void healthChanged(DeviceWorker worker, boolean healthy) {
        List<PendingRequest> stranded = new ArrayList<>();
        lock.lock();
        try {
            worker.healthy = healthy;
            for (Entry<PendingRequest> waiting : policy.waiting()) {
                if (!runsSomewhere(waiting.request())) {
                    stranded.add(waiting.request());
                }
            }
            workers.forEach(other -> other.wake.signal());
        } finally {
            lock.unlock();
        }
        // Ending the future takes the request out of the queue.
        stranded.forEach(request -> request.future.completeExceptionally(
            deviceFailed(request, "device=" + worker.device().info().id() + " failed")));
    }

    /** Gives up on requests that run for too long; called now and then. */
    void checkForHangs() {
        for (DeviceWorker worker : workers) {
            Attempt attempt = worker.attempt;
            if (attempt != null && !worker.device().sharesHostMemory()
                    && clock.getAsLong() - attempt.takenNanos > hangNanos) {
                // What shares the host's memory could write there at any later time, so its requests are never given up.
                if (attempt.abandon()) {
                    giveUp(worker, attempt);
                }
            }
        }
    }

    private void giveUp(DeviceWorker worker, Attempt attempt) {
        String failure = "device=" + worker.device().info().id() + ", problem=hangs, hangMillis="
            + TimeUnit.NANOSECONDS.toMillis(hangNanos);
        LOG.error("device hangs: {}", failure);
        listener.deviceHung(worker.device().info(), failure);
        healthChanged(worker, false);
        runElsewhere(worker, attempt.request, failure);
        worker.device().abort();
    }

    void forget(Allocation allocation) {
        lock.lock();
        try {
            policy.forget(allocation.name());
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
            waiting = policy.waiting().stream().map(Entry::request).toList();
            workers.forEach(worker -> worker.wake.signal());
        } finally {
            lock.unlock();
        }
        waiting.forEach(request -> request.future.completeExceptionally(
            new CoralException(ErrorCode.SESSION_CLOSED, "engine closed while the request waited; open a new session")));
    }

    EngineStats stats(SharedMemory memory, long hostFallbacks) {
        List<AllocationStats> allocations = memory.allocations();
        lock.lock();
        try {
            allocations = allocations.stream()
                .map(one -> one.withWaiting(policy.waiting(one.allocation().name()))).toList();
            return new EngineStats(
                workers.stream().map(DeviceWorker::stats).toList(), allocations, done, failed, cancelled,
                policy.size(), memory.usedBytes(), memory.pooledBytes(), memory.limitBytes(), hostFallbacks, retries);
        } finally {
            lock.unlock();
        }
    }

    /** With the lock held. */
    private void enqueue(PendingRequest request) {
        long cost = BASE_COST_NANOS + (long) (request.arguments.sliceBytes()
            * costNanosPerByte.getOrDefault(request.accelerator, FIRST_COST_NANOS_PER_BYTE));
        request.entry = policy.add(request.allocation.name(), request.allocation.share(), request, request.priority,
            cost, clock.getAsLong());
        DeviceWorker best = null;
        long least = SchedulingPolicy.NEVER;
        for (DeviceWorker worker : workers) {
            if (worker.idle) {
                long penalty = penaltyNanos(request, worker.index());
                if (penalty < least) {
                    best = worker;
                    least = penalty;
                }
            }
        }
        if (best != null) {
            best.idle = false;
            best.wake.signal();
        }
    }

    private void settle(DeviceWorker worker, Attempt attempt) {
        worker.attempt = null;
        policy.settle(attempt.entry, clock.getAsLong() - attempt.takenNanos);
    }

    private boolean runsSomewhere(PendingRequest request) {
        return workers.stream().anyMatch(worker -> penaltyNanos(request, worker.index()) != SchedulingPolicy.NEVER);
    }

    private long penaltyNanos(PendingRequest request, int device) {
        Bitstream bitstream = request.bitstreams[device];
        DeviceWorker worker = workers.get(device);
        if (bitstream == null || !worker.healthy || request.failedOn == device) {
            return SchedulingPolicy.NEVER;
        }
        long copy = (long) (worker.memory().missingBytes(request.arguments, request.segments()) * COPY_NANOS_PER_BYTE);
        return worker.programmingNanos(bitstream) + copy;
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
            if (request.entry != null) {
                waited = policy.remove(request.entry);
                request.entry = null;
            }
        } finally {
            lock.unlock();
        }
        if (waited) {
            request.release();
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
