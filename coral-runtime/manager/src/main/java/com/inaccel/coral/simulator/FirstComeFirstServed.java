package com.inaccel.coral.simulator;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;

/** A device takes the oldest request that it can run, whoever sent it and whatever it takes to begin. */
final class FirstComeFirstServed implements Rule {
    private static final Comparator<Ticket> ORDER = Comparator.comparingLong(Ticket::sequence);

    private final VirtualNode node;
    /** By accelerator. */
    private final List<TreeSet<Ticket>> queues = new ArrayList<>();
    private long sequence;
    private int size;

    private record Ticket(long sequence, Job job) { }

    FirstComeFirstServed(VirtualNode node) {
        this.node = node;
        for (int i = 0; i < node.hardware().accelerators(); i++) {
            queues.add(new TreeSet<>(ORDER));
        }
    }

    @Override
    public void add(Job job, long now) {
        Ticket ticket = new Ticket(sequence++, job);
        job.ticket = ticket;
        queues.get(job.accelerator).add(ticket);
        size++;
    }

    @Override
    public boolean remove(Job job) {
        boolean removed = queues.get(job.accelerator).remove((Ticket) job.ticket);
        size -= removed ? 1 : 0;
        return removed;
    }

    @Override
    public int nearest(Job job, BitSet idle) {
        for (int device = idle.nextSetBit(0); device >= 0; device = idle.nextSetBit(device + 1)) {
            if (node.canRun(job.accelerator, device)) {
                return device;
            }
        }
        return -1;
    }

    @Override
    public Job next(int device, long now) {
        Ticket oldest = null;
        for (int accelerator = 0; accelerator < queues.size(); accelerator++) {
            TreeSet<Ticket> queue = queues.get(accelerator);
            if (!queue.isEmpty() && node.canRun(accelerator, device)
                    && (oldest == null || queue.first().sequence < oldest.sequence)) {
                oldest = queue.first();
            }
        }
        if (oldest == null) {
            return null;
        }
        remove(oldest.job);
        return oldest.job;
    }

    @Override
    public void end(Job job, long tookNanos) { }

    @Override
    public int size() {
        return size;
    }

    @Override
    public List<Job> waiting() {
        return queues.stream().flatMap(TreeSet::stream).map(Ticket::job).toList();
    }
}
