package com.inaccel.coral.simulator;

import java.util.BitSet;
import java.util.List;

/** Decides which request a device takes next: what the simulator compares. */
interface Rule {
    /** The request waits from now on. */
    void add(Job job, long now);

    /** @return whether it was waiting still */
    boolean remove(Job job);

    /** Of these devices with nothing to do, the one to ask for a request that was just added; -1 for none. */
    int nearest(Job job, BitSet idle);

    /** Takes the next request for a device; null for none. Each that is taken ends later, by {@link #end}. */
    Job next(int device, long now);

    /** After {@link #next} gave nothing: until it may give another answer with no event in between. */
    default long patienceNanos() {
        return Long.MAX_VALUE;
    }

    /** The device lets go of the request, whose time on it this was, programming not included. */
    void end(Job job, long tookNanos);

    int size();

    /** All that wait. */
    List<Job> waiting();

    /** The device failed. @return requests that waited for it and for no other: they are added again */
    default List<Job> failed(int device) {
        return List.of();
    }

    default void repaired(int device) { }
}
