package com.inaccel.coral.simulator;

import com.google.common.collect.Iterables;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Each request goes, when it comes, to the device with the least outstanding work, and waits there in order of arrival. */
final class LeastLoaded implements Rule {
    private final VirtualNode node;
    /** By platform: its healthy devices, by what they have outstanding, in nanoseconds. */
    private final List<IndexedHeap> loads = new ArrayList<>();
    private final long[] outstanding;
    /** By device. A request's ticket is the device's number. */
    private final List<Set<Job>> queues = new ArrayList<>();
    private int size;

    LeastLoaded(VirtualNode node) {
        this.node = node;
        int devices = node.hardware().devices();
        outstanding = new long[devices];
        for (int i = 0; i < node.hardware().platforms().length; i++) {
            loads.add(new IndexedHeap(devices));
        }
        for (int device = 0; device < devices; device++) {
            queues.add(new LinkedHashSet<>());
            heap(device).set(device, 0);
        }
    }

    private IndexedHeap heap(int device) {
        return loads.get(node.hardware().platformOf()[device]);
    }

    private void load(int device, long nanos) {
        outstanding[device] += nanos;
        if (heap(device).contains(device)) {
            heap(device).set(device, outstanding[device]);
        }
    }

    @Override
    public void add(Job job, long now) {
        int best = -1;
        for (IndexedHeap heap : loads) {
            if (!heap.isEmpty() && node.canRun(job.accelerator, heap.first())
                    && (best < 0 || heap.key(heap.first()) < outstanding[best])) {
                best = heap.first();
            }
        }
        job.ticket = best;
        queues.get(best).add(job);
        load(best, job.expectedNanos);
        size++;
    }

    @Override
    public boolean remove(Job job) {
        int device = (int) job.ticket;
        boolean removed = queues.get(device).remove(job);
        if (removed) {
            load(device, -job.expectedNanos);
            size--;
        }
        return removed;
    }

    @Override
    public int nearest(Job job, BitSet idle) {
        int device = (int) job.ticket;
        return idle.get(device) ? device : -1;
    }

    @Override
    public Job next(int device, long now) {
        Job job = Iterables.getFirst(queues.get(device), null);
        if (job != null) {
            queues.get(device).remove(job);
            size--;
        }
        return job;
    }

    @Override
    public void end(Job job, long tookNanos) {
        load((int) job.ticket, -job.expectedNanos);
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public List<Job> waiting() {
        List<Job> all = new ArrayList<>(size);
        queues.forEach(all::addAll);
        return all;
    }

    @Override
    public List<Job> failed(int device) {
        heap(device).remove(device);
        List<Job> orphans = new ArrayList<>(queues.get(device));
        orphans.forEach(this::remove);
        return orphans;
    }

    @Override
    public void repaired(int device) {
        heap(device).set(device, outstanding[device]);
    }
}
