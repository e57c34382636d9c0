package com.inaccel.coral.engine;

import com.inaccel.coral.engine.SchedulingPolicy.CostModel;
import com.inaccel.coral.engine.SchedulingPolicy.Decision;
import com.inaccel.coral.engine.SchedulingPolicy.Entry;
import com.inaccel.coral.engine.SchedulingPolicy.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.Consumer;

/** Devices of one bitstream each, in virtual time, which a policy keeps busy. */
final class VirtualNode implements CostModel<VirtualNode.Job> {
    static final int NOTHING = -1;

    final SchedulingPolicy<Job> policy;
    final List<String> log = new ArrayList<>();
    final Map<String, Long> served = new HashMap<>();
    private final long programmingNanos;
    private final int[] programmed;
    private final boolean[] healthy;
    private final Job[] running;
    private final PriorityQueue<Event> events =
        new PriorityQueue<>(Comparator.comparingLong(Event::nanos).thenComparingLong(Event::order));
    long now;
    long done;
    int programmings;
    long longestWaitNanos;
    Consumer<Job> whenDone = job -> { };
    private long order;

    VirtualNode(int devices, long programmingNanos, long starvationNanos) {
        this.programmingNanos = programmingNanos;
        programmed = new int[devices];
        Arrays.fill(programmed, NOTHING);
        healthy = new boolean[devices];
        Arrays.fill(healthy, true);
        running = new Job[devices];
        policy = new SchedulingPolicy<>(new int[devices], this, starvationNanos);
    }

    private record Event(long nanos, long order, Runnable action) { }

    /** What a job needs programmed. */
    private record Need(VirtualNode node, int bitstream) implements Kind {
        @Override
        public long programmingNanos(int device) {
            return !node.healthy[device] ? SchedulingPolicy.NEVER
                : node.programmed[device] == bitstream ? 0 : node.programmingNanos;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Need need && need.bitstream == bitstream;
        }

        @Override
        public int hashCode() {
            return bitstream;
        }
    }

    static final class Job {
        final String allocation;
        final int share;
        final int bitstream;
        final long runNanos;
        long submitted;
        Entry<Job> entry;
        boolean ended;

        Job(String allocation, int share, int bitstream, long runNanos) {
            this.allocation = allocation;
            this.share = share;
            this.bitstream = bitstream;
            this.runNanos = runNanos;
        }
    }

    @Override
    public Kind kind(Job job) {
        return new Need(this, job.bitstream);
    }

    @Override
    public long copyNanos(Job job, int device) {
        return 0;
    }

    @Override
    public BitSet holders(Job job) {
        return new BitSet();
    }

    void at(long nanos, Runnable action) {
        events.add(new Event(nanos, order++, action));
    }

    void submit(Job job) {
        job.submitted = now;
        job.entry = policy.add(job.allocation, job.share, job, 0, SchedulingPolicy.NEVER, job.runNanos, now);
        BitSet idle = new BitSet();
        for (int i = 0; i < running.length; i++) {
            idle.set(i, running[i] == null && healthy[i]);
        }
        int nearest = policy.nearest(job.entry, idle);
        if (nearest >= 0) {
            offer(nearest);
        }
    }

    void fail(int device) {
        healthy[device] = false;
        programmed[device] = NOTHING;
        Job job = running[device];
        if (job != null) {
            running[device] = null;
            policy.settle(job.entry, 0);
            job.ended = true;
            submit(new Job(job.allocation, job.share, job.bitstream, job.runNanos));
        }
        offerAll();
    }

    void heal(int device) {
        healthy[device] = true;
        offer(device);
    }

    void run(long untilNanos) {
        while (!events.isEmpty() && events.peek().nanos <= untilNanos) {
            Event event = events.poll();
            now = event.nanos;
            event.action.run();
        }
        now = Math.max(now, untilNanos);
    }

    private void offerAll() {
        for (int device = 0; device < running.length; device++) {
            offer(device);
        }
    }

    private void offer(int device) {
        if (running[device] != null || !healthy[device]) {
            return;
        }
        Decision<Job> decision = policy.select(device, now);
        if (decision.entry().isPresent()) {
            start(device, decision.entry().get().request());
        } else if (decision.waitNanos() != SchedulingPolicy.NEVER) {
            at(now + decision.waitNanos(), () -> offer(device));
        }
    }

    private void start(int device, Job job) {
        running[device] = job;
        longestWaitNanos = Math.max(longestWaitNanos, now - job.submitted);
        log.add(device + ":" + job.allocation + ":" + job.bitstream);
        boolean programs = programmed[device] != job.bitstream;
        programmings += programs ? 1 : 0;
        programmed[device] = job.bitstream;
        long took = job.runNanos + (programs ? programmingNanos : 0);
        at(now + took, () -> end(device, job, took));
        if (programs) {
            at(now, this::offerAll); // what waits may have been passed over as it was not programmed here
        }
    }

    private void end(int device, Job job, long took) {
        if (running[device] != job) {
            return; // the device failed under it
        }
        running[device] = null;
        job.ended = true;
        done++;
        served.merge(job.allocation, job.runNanos, Long::sum);
        policy.settle(job.entry, took);
        whenDone.accept(job);
        offer(device);
    }

    /** Jain's index of what allocations got, per share: 1 where all got the same, 1/n where one got all. */
    double jain(Map<String, Integer> shares) {
        double sum = 0;
        double squares = 0;
        for (Map.Entry<String, Integer> one : shares.entrySet()) {
            double got = served.getOrDefault(one.getKey(), 0L) / (double) one.getValue();
            sum += got;
            squares += got * got;
        }
        return sum * sum / (shares.size() * squares);
    }
}
