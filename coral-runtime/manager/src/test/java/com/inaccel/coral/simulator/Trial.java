package com.inaccel.coral.simulator;

import com.inaccel.coral.simulator.Hardware.Platform;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Devices in virtual time and what happened on them. */
final class Trial implements VirtualNode.Listener {
    static final long MILLI = 1_000_000;
    static final long SECOND = 1_000 * MILLI;

    final EventQueue events = new EventQueue();
    final VirtualNode node;
    final Map<String, Tenant> tenants = new LinkedHashMap<>();
    /** Device time by tenant, without programming. */
    final Map<String, Long> served = new HashMap<>();
    final List<String> log = new ArrayList<>();
    final List<Job> failed = new ArrayList<>();
    private final IdentityHashMap<Job, Long> waitingSince = new IdentityHashMap<>();
    long done;
    int programmings;
    long longestWaitNanos;

    Trial(Hardware hardware, Function<VirtualNode, Rule> rule) {
        node = new VirtualNode(hardware, events, rule, this);
    }

    /** Devices of one platform without data, under the scheduling policy. */
    static Trial of(int devices, int bitstreams, long programmingNanos, long starvationNanos) {
        return new Trial(Hardware.uniform(devices, bitstreams, new Platform(programmingNanos, 0, 0, 1)),
            node -> CoralRule.aware(node, starvationNanos));
    }

    Tenant tenant(String name, int share) {
        return tenants.computeIfAbsent(name, key -> new Tenant(tenants.size(), key, share));
    }

    Job submit(String tenant, int bitstream, long runNanos) {
        Job job = new Job(tenant(tenant, 1), bitstream, runNanos, () -> { });
        node.submit(job);
        return job;
    }

    /** One request at a time, the next a moment after the end of the last. */
    void loop(String name, int share, int bitstream, long runNanos) {
        Tenant tenant = tenant(name, share);
        int[] timer = new int[1];
        timer[0] = events.timer(() -> node.submit(new Job(tenant, bitstream, runNanos,
            () -> events.set(timer[0], events.now() + MILLI / 10))));
        events.set(timer[0], 0);
    }

    @Override
    public void submitted(Job job) {
        waitingSince.put(job, events.now());
    }

    @Override
    public void taken(Job job, boolean programs) {
        longestWaitNanos = Math.max(longestWaitNanos, events.now() - waitingSince.remove(job));
        log.add(job.device + ":" + job.tenant.name() + ":" + job.accelerator);
        programmings += programs ? 1 : 0;
    }

    @Override
    public void lost(Job job, long now) {
        waitingSince.put(job, now);
    }

    @Override
    public void ended(Job job, boolean ran, long now) {
        waitingSince.remove(job);
        if (ran) {
            done++;
            served.merge(job.tenant.name(), job.runNanos, Long::sum);
        } else {
            failed.add(job);
        }
    }

    /** Of those that wait now. */
    long longestWaitingNanos() {
        return waitingSince.values().stream().mapToLong(since -> events.now() - since).max().orElse(0);
    }

    /** Jain's index of what tenants got, per share: 1 where all got the same, 1/n where one got all. */
    double jain() {
        double sum = 0;
        double squares = 0;
        for (Tenant tenant : tenants.values()) {
            double got = served.getOrDefault(tenant.name(), 0L) / (double) tenant.share();
            sum += got;
            squares += got * got;
        }
        return sum * sum / (tenants.size() * squares);
    }
}
