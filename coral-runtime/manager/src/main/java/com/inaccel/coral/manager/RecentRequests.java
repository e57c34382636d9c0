package com.inaccel.coral.manager;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** The latest requests that ended, whatever became of them. Thread-safe without a lock; overwrites the oldest. */
final class RecentRequests {
    static final int CAPACITY = 64;

    private final AtomicReferenceArray<Ended> slots = new AtomicReferenceArray<>(CAPACITY);
    private final AtomicLong count = new AtomicLong();

    /**
     * One of them.
     *
     * @param accelerator empty when the client named one that is not installed
     * @param device empty, and the times 0, unless it was done
     * @param outcome done, or the error's code
     */
    record Ended(long endedMillis, String allocation, String accelerator, String device,
            long queueNanos, long transferNanos, long runNanos, String outcome) { }

    void add(Ended request) {
        slots.set((int) (count.getAndIncrement() % CAPACITY), request);
    }

    /** Latest first, but for those that are being added just now. */
    List<Ended> latestFirst() {
        long next = count.get();
        List<Ended> latest = new ArrayList<>(CAPACITY);
        for (long i = next - 1; i >= Math.max(0, next - CAPACITY); i--) {
            Ended request = slots.get((int) (i % CAPACITY));
            if (request != null) {
                latest.add(request);
            }
        }
        return latest;
    }
}
