package com.inaccel.coral.simulator;

import java.util.Arrays;

/**
 * Virtual time and what happens in it. Everything that can happen has a timer, set for one moment at most; what is set for the
 * same moment happens in the order in which it was set. Not thread-safe.
 */
final class EventQueue {
    private final IndexedHeap heap = new IndexedHeap(64);
    private Runnable[] actions = new Runnable[64];
    private int timers;
    private long now;

    /** Nanoseconds since the start. */
    long now() {
        return now;
    }

    /** @return the number of a timer that is not set yet */
    int timer(Runnable action) {
        if (timers == actions.length) {
            actions = Arrays.copyOf(actions, 2 * timers);
            heap.grow(2 * timers);
        }
        actions[timers] = action;
        return timers++;
    }

    /** Instead of what it was set for before, if it was. */
    void set(int timer, long nanos) {
        heap.set(timer, Math.max(now, nanos));
    }

    void cancel(int timer) {
        heap.remove(timer);
    }

    /** Once, with a timer that nobody needs again: for what is rare. */
    void at(long nanos, Runnable action) {
        set(timer(action), nanos);
    }

    /** Lets the next thing happen. @return false when nothing is set */
    boolean step() {
        if (heap.isEmpty()) {
            return false;
        }
        int timer = heap.first();
        now = heap.key(timer);
        heap.remove(timer);
        actions[timer].run();
        return true;
    }

    /** Lets happen all that is set for a moment up to this one. */
    void runUntil(long nanos) {
        while (!heap.isEmpty() && heap.key(heap.first()) <= nanos) {
            step();
        }
        now = Math.max(now, nanos);
    }
}
