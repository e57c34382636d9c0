package com.inaccel.coral.engine;

import com.inaccel.coral.engine.Programming.Stint;
import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;

/** A request on a lane of a device. */
final class Attempt {
    private enum State { RUNNING, PUBLISHING, ABANDONED, ENDED }

    /** No time at all. */
    private static final long RESTING = Long.MIN_VALUE;

    final PendingRequest request;
    final Entry<PendingRequest> entry;
    final Stint stint;
    final long takenNanos;
    private State state = State.RUNNING;
    /** Since when the device has been at one step of it. Written by the lane's thread, like the next. */
    private volatile long workingSinceNanos = RESTING;
    private long workedNanos;

    Attempt(PendingRequest request, Entry<PendingRequest> entry, Stint stint, long takenNanos) {
        this.request = request;
        this.entry = entry;
        this.stint = stint;
        this.takenNanos = takenNanos;
    }

    /** The device begins with a step of it. */
    void work(long nowNanos) {
        workingSinceNanos = nowNanos;
    }

    /** The step is over: what follows is waiting for other lanes, or the next step. */
    void rest(long nowNanos) {
        workedNanos += nowNanos - workingSinceNanos;
        workingSinceNanos = RESTING;
    }

    /** The step was programming, which is not this request's alone: any of those that wait for the bitstream may do it. */
    void programmed() {
        workingSinceNanos = RESTING;
    }

    /** Device time that it took, waiting for other lanes and programming not included. */
    long workedNanos(long nowNanos) {
        return workedNanos + stepNanos(nowNanos);
    }

    /** How long the present step has taken so far. Any thread. */
    long stepNanos(long nowNanos) {
        long since = workingSinceNanos;
        return since == RESTING ? 0 : nowNanos - since;
    }

    /** Whether results may still be copied to the host; after that it cannot be given up. */
    synchronized boolean mayPublish() {
        if (state == State.RUNNING && !request.future.isDone()) {
            state = State.PUBLISHING;
        }
        return state == State.PUBLISHING;
    }

    synchronized boolean mayAbandon() {
        return state == State.RUNNING;
    }

    /** Where it succeeds, the caller owns the request. */
    synchronized boolean abandon() {
        if (state != State.RUNNING) {
            return false;
        }
        state = State.ABANDONED;
        request.retain(); // the lane's use lasts until end() has returned
        return true;
    }

    /** The lane has let go. @return whether the request is the lane's still to end */
    synchronized boolean end() {
        boolean own = state != State.ABANDONED;
        state = State.ENDED;
        return own;
    }
}
