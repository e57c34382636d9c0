package com.inaccel.coral.simulator;

import com.inaccel.coral.scheduling.SchedulingPolicy;
import com.inaccel.coral.scheduling.SchedulingPolicy.CostModel;
import com.inaccel.coral.scheduling.SchedulingPolicy.Decision;
import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;
import com.inaccel.coral.scheduling.SchedulingPolicy.Kind;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** The scheduling policy that the engine runs: the same class. */
final class CoralRule implements Rule {
    private final SchedulingPolicy<Job> policy;
    private long patienceNanos;

    private CoralRule(VirtualNode node, CostModel<Job> costs, long starvationNanos) {
        policy = new SchedulingPolicy<>(node.hardware().platformOf(), costs, starvationNanos);
    }

    /** Knows what is programmed and resident where. */
    static Rule aware(VirtualNode node, long starvationNanos) {
        return new CoralRule(node, new Aware(node), starvationNanos);
    }

    /** Takes every device that can run a request for as good as any other. */
    static Rule blind(VirtualNode node, long starvationNanos) {
        return new CoralRule(node, new Blind(node), starvationNanos);
    }

    @Override
    public void add(Job job, long now) {
        job.ticket = policy.add(job.tenant.name(), job.tenant.share(), job, 0, SchedulingPolicy.NEVER, job.expectedNanos, now);
    }

    @SuppressWarnings("unchecked") // it is the one that add() left there
    private static Entry<Job> entry(Job job) {
        return (Entry<Job>) job.ticket;
    }

    @Override
    public boolean remove(Job job) {
        return policy.remove(entry(job));
    }

    @Override
    public int nearest(Job job, BitSet idle) {
        return policy.nearest(entry(job), idle);
    }

    @Override
    public Job next(int device, long now) {
        Decision<Job> decision = policy.select(device, now);
        patienceNanos = decision.waitNanos();
        return decision.entry().map(Entry::request).orElse(null);
    }

    @Override
    public long patienceNanos() {
        return patienceNanos;
    }

    @Override
    public void end(Job job, long tookNanos) {
        policy.settle(entry(job), tookNanos);
    }

    @Override
    public int size() {
        return policy.size();
    }

    @Override
    public List<Job> waiting() {
        return policy.waiting().stream().map(Entry::request).toList();
    }

    private static final class Aware implements CostModel<Job> {
        private final VirtualNode node;
        private final Kind[] kinds;

        Aware(VirtualNode node) {
            this.node = node;
            kinds = new Kind[node.hardware().accelerators()];
            Arrays.setAll(kinds, accelerator -> device -> node.programmingNanos(accelerator, device));
        }

        @Override
        public Kind kind(Job job) {
            return kinds[job.accelerator];
        }

        @Override
        public long copyNanos(Job job, int device) {
            return node.copyNanos(job, device);
        }

        @Override
        public BitSet holders(Job job) {
            return node.holders(job);
        }
    }

    private static final class Blind implements CostModel<Job> {
        private static final BitSet NONE = new BitSet();
        private final Kind[] kinds;

        /** Accelerators that can run on the same platforms are of one kind. */
        Blind(VirtualNode node) {
            boolean[][] runs = node.hardware().runs();
            kinds = new Kind[runs.length];
            Arrays.setAll(kinds, accelerator -> device ->
                node.programmingNanos(accelerator, device) == SchedulingPolicy.NEVER ? SchedulingPolicy.NEVER : 0);
            for (int one = 0; one < runs.length; one++) {
                for (int earlier = one - 1; earlier >= 0; earlier--) {
                    if (Arrays.equals(runs[one], runs[earlier])) {
                        kinds[one] = kinds[earlier];
                    }
                }
            }
        }

        @Override
        public Kind kind(Job job) {
            return kinds[job.accelerator];
        }

        @Override
        public long copyNanos(Job job, int device) {
            return 0;
        }

        @Override
        public BitSet holders(Job job) {
            return NONE;
        }
    }
}
