package com.inaccel.coral.engine;

import com.inaccel.coral.scheduling.SchedulingPolicy;
import com.inaccel.coral.scheduling.SchedulingPolicy.Decision;
import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * The requests that wait for a device: tells the policy what they cost and need, hands them to lanes as it decides, and wakes
 * lanes for them. Ends none of them. All of it with the dispatcher's lock held.
 */
final class Scheduler {
    /** What copying to a device is taken to cost: PCIe at some 10 GB/s. */
    private static final double COPY_NANOS_PER_BYTE = 0.1;
    /** What a request costs whatever it moves. */
    private static final long BASE_COST_NANOS = 20_000;
    private static final double FIRST_COST_NANOS_PER_BYTE = 0.1;
    /** Up to here, waking another thread would be much of what a request takes. */
    private static final long SHORT_NANOS = 200_000;
    /** Weight of the newest measurement. */
    private static final double SMOOTHING = 0.2;
    static final long UNMEASURED = -1;

    private final List<DeviceWorker> workers;
    private final LongSupplier clock;
    private final SchedulingPolicy<PendingRequest> policy;
    /** By accelerator, as measured. */
    private final Map<String, Double> costNanosPerByte = new HashMap<>();
    /** For whom the policy selects just now; null when for nobody. */
    private DeviceWorker selecting;

    Scheduler(List<DeviceWorker> workers, long starvationNanos, LongSupplier clock) {
        this.workers = workers;
        this.clock = clock;
        List<String> platforms = workers.stream().map(DeviceWorker::platform).toList();
        List<String> distinct = platforms.stream().distinct().toList();
        policy = new SchedulingPolicy<>(
            platforms.stream().mapToInt(distinct::indexOf).toArray(), new Costs(), starvationNanos);
    }

    /** How many wait. */
    int size() {
        return policy.size();
    }

    /** How many of one allocation wait. */
    int waiting(Allocation allocation) {
        return policy.waiting(allocation.name());
    }

    List<PendingRequest> waiting() {
        return policy.waiting().stream().map(Entry::request).toList();
    }

    void forget(Allocation allocation) {
        policy.forget(allocation.name());
    }

    /**
     * The request waits from now on, unless a lane is lent for it.
     *
     * @param here whether the calling thread may run it itself, if that is short and could begin at once
     * @return the lane that was lent to the calling thread for it; else null
     */
    LaneWorker enqueue(PendingRequest request, boolean here) {
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
                Optional<Entry<PendingRequest>> entry = decide(worker, now).entry();
                if (entry.isPresent()) {
                    LaneWorker lane = worker.lend();
                    begin(lane, entry.get(), now);
                    return lane;
                }
            }
        }
        return null;
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

    /**
     * Takes the next request for the lane, which has an attempt then, if there is one.
     *
     * @return if there was none: nanoseconds after which asking again may give another answer, {@link SchedulingPolicy#NEVER}
     *         when nothing will change by itself
     */
    long take(LaneWorker lane) {
        long now = clock.getAsLong();
        Decision<PendingRequest> decision = decide(lane.worker(), now);
        decision.entry().ifPresent(entry -> begin(lane, entry, now));
        return decision.waitNanos();
    }

    private Decision<PendingRequest> decide(DeviceWorker worker, long now) {
        selecting = worker;
        try {
            return policy.select(worker.index(), now);
        } finally {
            selecting = null;
        }
    }

    private void begin(LaneWorker lane, Entry<PendingRequest> entry, long now) {
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
    }

    /** @param runNanos that the kernel took; {@link #UNMEASURED} where it did not end well */
    void settle(Attempt attempt, long runNanos, long now) {
        if (runNanos != UNMEASURED) {
            costNanosPerByte.merge(attempt.request.accelerator,
                (double) runNanos / Math.max(attempt.request.arguments.sliceBytes(), 1),
                (old, latest) -> old + SMOOTHING * (latest - old));
        }
        policy.settle(attempt.entry, attempt.workedNanos(now));
    }

    /** @return whether it was waiting still */
    boolean remove(PendingRequest request) {
        boolean waited = request.entry != null && policy.remove(request.entry);
        request.entry = null;
        return waited;
    }

    boolean runsSomewhere(PendingRequest request) {
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

    /** What the policy asks about requests and devices. */
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
}
