package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.scheduling.SchedulingPolicy;
import com.inaccel.coral.scheduling.SchedulingPolicy.Decision;
import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
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
 * Between sessions and devices: queues requests, hands them to the devices' lanes as the policy decides, and ends each
 * exactly once. Thread-safe by one lock, under which nothing slow happens: futures are completed outside it.
 */
final class Dispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);
    /** What copying to a device is taken to cost: PCIe at some 10 GB/s. */
    private static final double COPY_NANOS_PER_BYTE = 0.1;
    /** What a request costs whatever it moves. */
    private static final long BASE_COST_NANOS = 20_000;
    private static final double FIRST_COST_NANOS_PER_BYTE = 0.1;
    /** Up to here, waking another thread would be much of what a request takes. */
    private static final long SHORT_NANOS = 200_000;
    /** Weight of the newest measurement. */
    private static final double SMOOTHING = 0.2;
    private static final long UNMEASURED = -1;
    private static final Duration LONGEST_TIMEOUT = Duration.ofDays(36_500);

    final ReentrantLock lock = new ReentrantLock();
    private final LongSupplier clock;
    private final EngineListener listener;
    private final int queueLimit;
    private final long hangNanos;
    private final ScheduledExecutorService timer;
    private final List<DeviceWorker> workers = new ArrayList<>();
    private final Map<String, Double> costNanosPerByte = new HashMap<>();
    /** By allocation: how many wait for earlier requests. */
    private final Map<String, Integer> parked = new HashMap<>();
    private SchedulingPolicy<PendingRequest> policy;
    /** For whom the policy selects just now; null when for nobody. */
    private DeviceWorker selecting;
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
        List<String> platforms = workers.stream().map(DeviceWorker::platform).toList();
        List<String> distinct = platforms.stream().distinct().toList();
        policy = new SchedulingPolicy<>(
            platforms.stream().mapToInt(distinct::indexOf).toArray(), new Costs(), starvationNanos);
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
            } else if (!runsSomewhere(request)) {
                refusal = deviceFailed(request, "no device that can run it is healthy");
            } else if (request.future.isDone()) {
                gone = true;
            } else {
                timeout.filter(limit -> limit.compareTo(LONGEST_TIMEOUT) <= 0)
                    .ifPresent(limit -> request.deadlineNanos = clock.getAsLong() + limit.toNanos());
                if (free || request.free) {
                    lent = enqueue(request, here);
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
        return policy.waiting(allocation.name()) + parked.getOrDefault(allocation.name(), 0);
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
                if (runsSomewhere(request)) {
                    enqueue(request, false);
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
                    long now = clock.getAsLong();
                    Decision<PendingRequest> decision = select(worker, now);
                    if (decision.entry().isPresent()) {
                        return begin(lane, decision.entry().get(), now);
                    }
                    patience = decision.waitNanos();
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

    /** With the lock held, like the next. */
    private Decision<PendingRequest> select(DeviceWorker worker, long now) {
        selecting = worker;
        try {
            return policy.select(worker.index(), now);
        } finally {
            selecting = null;
        }
    }

    private Attempt begin(LaneWorker lane, Entry<PendingRequest> entry, long now) {
        DeviceWorker worker = lane.worker();
        PendingRequest request = entry.request();
        request.entry = null;
        Bitstream bitstream = request.bitstreams[worker.index()];
        boolean programs = worker.programming().costNanos(bitstream) > 0;
        lane.attempt = new Attempt(request, entry, worker.programming().join(bitstream), now);
        worker.begin(now);
        // What waits may have been passed over because it was not programmed here, or because a unit here was free.
        if (policy.size() > 0 && (programs || worker.isSaturated(request.kernel(worker.index())))) {
            workers.stream().filter(DeviceWorker::hasIdleLane).forEach(DeviceWorker::wakeAll);
        }
        return lane.attempt;
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
        settle(lane, attempt, UNMEASURED);
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
        settle(lane, attempt, UNMEASURED);
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
            if (runNanos != UNMEASURED) {
                costNanosPerByte.merge(attempt.request.accelerator,
                    (double) runNanos / Math.max(attempt.request.arguments.sliceBytes(), 1),
                    (old, latest) -> old + SMOOTHING * (latest - old));
            }
            lane.attempt = null;
            policy.settle(attempt.entry, attempt.workedNanos(now));
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
                && runsSomewhere(request);
            if (again) {
                retries++;
                request.failure = failure;
                enqueue(request, false);
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
            for (Entry<PendingRequest> waiting : policy.waiting()) {
                if (!runsSomewhere(waiting.request())) {
                    stranded.add(waiting.request());
                }
            }
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
            int waiting = policy.size() + parked.values().stream().mapToInt(Integer::intValue).sum();
            return new EngineStats(workers.stream().map(worker -> worker.stats(now)).toList(), allocations, done,
                failed, cancelled, waiting, memory.usedBytes(), memory.pooledBytes(), memory.limitBytes(), hostFallbacks, retries,
                bitstreamsRefused);
        } finally {
            lock.unlock();
        }
    }

    /** With the lock held, like the next. @return the lane that was lent to the calling thread for it; else null */
    private LaneWorker enqueue(PendingRequest request, boolean here) {
        long cost = BASE_COST_NANOS + (long) (request.arguments.sliceBytes()
            * costNanosPerByte.getOrDefault(request.accelerator, FIRST_COST_NANOS_PER_BYTE));
        long now = clock.getAsLong();
        request.entry = policy.add(request.allocation.name(), request.allocation.share(), request, request.priority,
            request.deadlineNanos, cost, now);
        LaneWorker lent = here && cost <= SHORT_NANOS && policy.size() == 1 ? lend(request, now) : null;
        if (lent == null) {
            wakeFor(request);
        }
        return lent;
    }

    private LaneWorker lend(PendingRequest request, long now) {
        for (DeviceWorker worker : workers) {
            if (worker.device().sharesHostMemory() && worker.takes() && worker.hasIdleLane() && canRun(request, worker)
                    && worker.programming().costNanos(request.bitstreams[worker.index()]) == 0
                    && !worker.isSaturated(request.kernel(worker.index()))) {
                Optional<Entry<PendingRequest>> entry = select(worker, now).entry();
                if (entry.isPresent()) {
                    LaneWorker lane = worker.lend();
                    begin(lane, entry.get(), now);
                    return lane;
                }
            }
        }
        return null;
    }

    /** What the lane was lent for is over. */
    void returned(LaneWorker lane) {
        lock.lock();
        try {
            lane.lent = false;
            if (policy.size() > 0 || closing || !lane.worker().takes()) {
                lane.wake.signal();
            } else {
                lane.worker().rests(lane);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Of the lanes that wait for work, one where the request could run at once; else one that could copy for it. */
    private void wakeFor(PendingRequest request) {
        BitSet startsAtOnce = new BitSet();
        BitSet copies = new BitSet();
        for (DeviceWorker worker : workers) {
            if (worker.takes() && worker.hasIdleLane() && canRun(request, worker)) {
                boolean starts = worker.lanesAwake() < worker.device().units(request.kernel(worker.index()));
                (starts ? startsAtOnce : copies).set(worker.index());
            }
        }
        int nearest = policy.nearest(request.entry, startsAtOnce.isEmpty() ? copies : startsAtOnce);
        // A lane that is about to look for its next request anyway needs no waking.
        if (nearest >= 0 && workers.get(nearest).lanesLooking() < policy.size()) {
            workers.get(nearest).wakeOne();
        }
    }

    private boolean runsSomewhere(PendingRequest request) {
        return workers.stream().anyMatch(worker -> canRun(request, worker));
    }

    private static boolean canRun(PendingRequest request, DeviceWorker worker) {
        return request.bitstreams[worker.index()] != null && worker.healthy() && request.failedOn != worker.index();
    }

    private boolean isFreeElsewhere(PendingRequest request, DeviceWorker worker) {
        for (DeviceWorker other : workers) {
            if (other != worker && other.takes() && canRun(request, other)
                    && !other.isSaturated(request.kernel(other.index()))) {
                return true;
            }
        }
        return false;
    }

    /** What the scheduler asks about requests and devices. */
    private final class Costs implements SchedulingPolicy.CostModel<PendingRequest> {
        @Override
        public Need kind(PendingRequest request) {
            return new Need(workers, Arrays.asList(request.bitstreams), request.failedOn);
        }

        @Override
        public long copyNanos(PendingRequest request, int device) {
            DeviceWorker worker = workers.get(device);
            // A request that would have to wait here for a compute unit is not bound to this device while another one is free.
            if (worker == selecting && worker.isSaturated(request.kernel(device)) && isFreeElsewhere(request, worker)) {
                return SchedulingPolicy.NEVER;
            }
            return (long) (worker.memory().missingBytes(request.arguments, request.segments()) * COPY_NANOS_PER_BYTE);
        }

        @Override
        public BitSet holders(PendingRequest request) {
            BitSet all = new BitSet(); // of so few that they need no index
            all.set(0, workers.size());
            return all;
        }
    }

    /** @param bitstreams by device; null where nothing implements the accelerator */
    private record Need(List<DeviceWorker> workers, List<Bitstream> bitstreams, int failedOn)
            implements SchedulingPolicy.Kind {
        @Override
        public long programmingNanos(int device) {
            Bitstream bitstream = bitstreams.get(device);
            DeviceWorker worker = workers.get(device);
            return bitstream == null || !worker.healthy() || failedOn == device
                ? SchedulingPolicy.NEVER : worker.programming().costNanos(bitstream);
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
            if (request.entry != null) {
                waited = policy.remove(request.entry);
                request.entry = null;
            } else {
                waited = unpark(request);
            }
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
