package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.scheduling.SchedulingPolicy;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A request from its acceptance to its end.
 *
 * <p>Its future ends exactly once, whoever is first: the device, the deadline, a cancellation. It is owned by the queue, then
 * by the device that runs it. Its segments are held by the owner and by devices that it was taken from while they ran it: the
 * last of them lets go, which may be long after the future ended.
 */
final class PendingRequest {
    final Allocation allocation;
    final String accelerator;
    final BoundArguments arguments;
    /** By device: what implements the accelerator there; null where nothing does. */
    final Bitstream[] bitstreams;
    final int priority;
    final long submittedNanos;
    final CompletableFuture<Completion> future = new CompletableFuture<>();

    private final Conflicts conflicts;
    private final Conflicts.Place place = new Conflicts.Place();
    private final EngineSegment[] segments; // null where the argument is a scalar
    private final AtomicInteger uses = new AtomicInteger(1);

    /** Guarded by the dispatcher's lock, like all below: null unless it waits for a device. */
    SchedulingPolicy.Entry<PendingRequest> entry;
    /** No earlier request is in its way. */
    boolean free;
    /** Waits for earlier requests. */
    boolean parked;
    /** The device under which it failed; -1 before. */
    int failedOn = -1;
    /** Why it failed there. */
    String failure = "";
    /** By the dispatcher's clock. */
    long deadlineNanos = SchedulingPolicy.NEVER;

    /** Takes over one reference to each segment. */
    PendingRequest(
            Allocation allocation, String accelerator, Bitstream[] bitstreams, BoundArguments arguments,
            EngineSegment[] segments, Conflicts conflicts, int priority, long submittedNanos) {
        this.allocation = allocation;
        this.accelerator = accelerator;
        this.bitstreams = bitstreams;
        this.arguments = arguments;
        this.segments = segments;
        this.conflicts = conflicts;
        this.priority = priority;
        this.submittedNanos = submittedNanos;
    }

    EngineSegment[] segments() {
        return segments;
    }

    Conflicts.Place place() {
        return place;
    }

    Bitstream.Kernel kernel(int device) {
        return bitstreams[device].kernel(accelerator);
    }

    /** Once, before anything else happens to it. @return whether no earlier request is in its way */
    boolean enter() {
        return conflicts.enter(this);
    }

    /** Once, by its last owner: it is neither queued nor run any more. @return later requests with a free way now */
    List<PendingRequest> leave() {
        List<PendingRequest> freed = conflicts.leave(this);
        release();
        return freed;
    }

    /** One more use of the segments, by who has one already. */
    void retain() {
        uses.incrementAndGet();
    }

    void release() {
        if (uses.decrementAndGet() == 0) {
            releaseAll(Arrays.asList(segments)); // with nulls
        }
    }

    static void releaseAll(List<EngineSegment> segments) {
        for (EngineSegment segment : segments) {
            if (segment != null) {
                segment.release();
            }
        }
    }
}
