package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;

/**
 * One client of one allocation, which keeps a number of requests of each of its works in flight until it is told to stop.
 * Counts device time and finished work between {@link #measure(boolean)} and its opposite.
 */
final class Tenant implements AutoCloseable {
    private final Session session;
    private final List<Work> works = new ArrayList<>();
    private final Thread thread;
    private final BlockingQueue<Slot> free = new LinkedBlockingQueue<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private volatile boolean measuring;
    private volatile boolean stopping;
    /** Guarded by this, like the rest. */
    private long deviceNanos;
    private long finished;
    /** Of each that was submitted in that time, also where it ended later. */
    private final LongStream.Builder waitNanos = LongStream.builder();
    private long longestWorkNanos;

    private record Slot(Work work, int index) { }

    /** @param rows by kind of work that it asks for */
    Tenant(String address, Map<Work.Kind, Integer> rows, int inFlightOfEach) {
        session = Coral.open(address);
        rows.forEach((kind, count) -> works.add(new Work(session, kind, count, inFlightOfEach)));
        for (int index = 0; index < inFlightOfEach; index++) {
            for (Work work : works) {
                free.add(new Slot(work, index));
            }
        }
        thread = new Thread(this::submitUntilStopped, "tenant " + address);
    }

    void start() {
        thread.start();
    }

    void measure(boolean now) {
        measuring = now;
    }

    /** Transfers included: what the scheduler shares out. */
    synchronized long deviceNanos() {
        return deviceNanos;
    }

    synchronized long finished() {
        return finished;
    }

    /** Of each that was submitted while it measured; once it has stopped, and once only. */
    synchronized LongStream waitNanos() {
        return waitNanos.build();
    }

    /** That a device worked on one request. */
    synchronized long longestWorkNanos() {
        return longestWorkNanos;
    }

    private void submitUntilStopped() {
        int slots = works.stream().mapToInt(Work::slots).sum();
        try {
            while (!stopping) {
                Slot slot = free.take();
                boolean watched = measuring;
                slot.work.submit(slot.index).whenComplete((completion, problem) -> ended(slot, watched, completion, problem));
            }
            for (int i = 0; i < slots; i++) {
                free.take();
            }
        } catch (InterruptedException e) {
            failure.compareAndSet(null, e);
        }
    }

    private void ended(Slot slot, boolean watched, Completion completion, Throwable problem) {
        if (problem != null) {
            failure.compareAndSet(null, problem);
            stopping = true;
        } else {
            synchronized (this) {
                count(completion, watched);
            }
        }
        free.add(slot);
    }

    private void count(Completion completion, boolean watched) {
        if (watched) {
            waitNanos.add(completion.queueNanos());
        }
        if (measuring) {
            long worked = completion.transferNanos() + completion.runNanos();
            deviceNanos += worked;
            longestWorkNanos = Math.max(longestWorkNanos, worked);
            finished++;
        }
    }

    /** Submits nothing more, while what is in flight goes on. */
    void stop() {
        stopping = true;
    }

    /** Waits until what was in flight has ended. */
    void join() throws InterruptedException {
        thread.join();
        if (failure.get() != null) {
            throw new IllegalStateException("tenant failed: address=" + session.address(), failure.get());
        }
    }

    @Override
    public void close() {
        session.close();
    }
}
