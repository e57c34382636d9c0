package com.inaccel.coral.simulator;

import com.inaccel.coral.scheduling.SchedulingPolicy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.Function;

/**
 * Devices in virtual time, which a rule keeps busy: what the engine's dispatcher, lanes and programming are in real time. A device
 * holds one bitstream; programming waits until all that it works on has ended. A copy takes the lane's time before the run.
 * A request on a device that fails runs again elsewhere, once.
 */
final class VirtualNode {
    private static final int NOTHING = -1;

    private final Hardware hardware;
    private final EventQueue events;
    private final Rule rule;
    private final Listener listener;
    private final Residents residents;
    private final boolean[] healthy;
    private final int[] healthyOfPlatform;
    private final int[] programmed;
    /** By device: when it is programmed with that. */
    private final long[] readyNanos;
    /** By device: when all that it works on has ended. */
    private final long[] drainedNanos;
    /** By device and lane; null for an idle lane. */
    private final Job[][] working;
    private final int[][] laneTimers;
    private final int[] patienceTimers;
    private final int[] freeLanes;
    /** Healthy devices with a free lane. */
    private final BitSet idle = new BitSet();

    /** Told of everything, in the order in which it happens. */
    interface Listener {
        default void submitted(Job job) { }

        /**
         * Its device, times and costs are known.
         *
         * @param programs whether the device is programmed for it
         */
        default void taken(Job job, boolean programs) { }

        /** Its device failed: what was announced when it was taken did not happen. */
        default void lost(Job job, long now) { }

        default void ended(Job job, boolean done, long now) { }
    }

    VirtualNode(Hardware hardware, EventQueue events, Function<VirtualNode, Rule> rule, Listener listener) {
        this.hardware = hardware;
        this.events = events;
        this.listener = listener;
        int devices = hardware.devices();
        residents = new Residents(hardware);
        healthy = new boolean[devices];
        Arrays.fill(healthy, true);
        healthyOfPlatform = new int[hardware.platforms().length];
        programmed = new int[devices];
        Arrays.fill(programmed, NOTHING);
        readyNanos = new long[devices];
        drainedNanos = new long[devices];
        working = new Job[devices][];
        laneTimers = new int[devices][];
        patienceTimers = new int[devices];
        freeLanes = new int[devices];
        idle.set(0, devices);
        for (int i = 0; i < devices; i++) {
            int device = i;
            int lanes = hardware.platform(device).lanes();
            healthyOfPlatform[hardware.platformOf()[device]]++;
            working[device] = new Job[lanes];
            freeLanes[device] = lanes;
            laneTimers[device] = new int[lanes];
            Arrays.setAll(laneTimers[device], lane -> events.timer(() -> end(device, lane)));
            patienceTimers[device] = events.timer(() -> offer(device));
        }
        this.rule = rule.apply(this);
    }

    Hardware hardware() {
        return hardware;
    }

    Rule rule() {
        return rule;
    }

    boolean canRun(int accelerator, int device) {
        return healthy[device] && hardware.runs(accelerator, device);
    }

    /** {@link SchedulingPolicy#NEVER} where it cannot run. */
    long programmingNanos(int accelerator, int device) {
        return !canRun(accelerator, device) ? SchedulingPolicy.NEVER
            : programmed[device] == accelerator ? 0 : hardware.platform(device).programmingNanos();
    }

    long copyNanos(Job job, int device) {
        return job.data == Job.NO_DATA || residents.holds(device, job.data) ? 0
            : (long) (job.dataBytes * hardware.platform(device).copyNanosPerByte());
    }

    /** Not changed by the caller. */
    BitSet holders(Job job) {
        return residents.holders(job.data);
    }

    void submit(Job job) {
        job.submittedNanos = events.now();
        listener.submitted(job);
        place(job);
    }

    private void place(Job job) {
        if (!runsSomewhere(job)) {
            end(job, false);
            return;
        }
        rule.add(job, events.now());
        int nearest = idle.isEmpty() ? -1 : rule.nearest(job, idle);
        if (nearest >= 0) {
            offer(nearest);
        }
    }

    private boolean runsSomewhere(Job job) {
        boolean[] platforms = hardware.runs()[job.accelerator];
        for (int platform = 0; platform < platforms.length; platform++) {
            if (platforms[platform] && healthyOfPlatform[platform] > 0) {
                return true;
            }
        }
        return false;
    }

    /** @return whether it was waiting still: then it never runs, and nobody is told */
    boolean cancel(Job job) {
        return rule.remove(job);
    }

    private void end(Job job, boolean done) {
        job.device = -1;
        listener.ended(job, done, events.now());
        job.end();
    }

    private void offer(int device) {
        while (idle.get(device)) {
            Job job = rule.next(device, events.now());
            if (job == null) {
                long patience = rule.patienceNanos();
                if (patience == SchedulingPolicy.NEVER) {
                    events.cancel(patienceTimers[device]);
                } else {
                    events.set(patienceTimers[device], events.now() + patience);
                }
                return;
            }
            start(device, job);
        }
        events.cancel(patienceTimers[device]);
    }

    private void start(int device, Job job) {
        long now = events.now();
        boolean programs = programmed[device] != job.accelerator;
        job.copyNanos = copyNanos(job, device);
        if (programs) {
            readyNanos[device] = Math.max(now, drainedNanos[device]) + programmingNanos(job.accelerator, device);
            programmed[device] = job.accelerator;
        }
        job.device = device;
        job.beginNanos = Math.max(now, readyNanos[device]);
        long endNanos = job.beginNanos + job.copyNanos + job.runNanos;
        drainedNanos[device] = Math.max(drainedNanos[device], endNanos);
        if (job.data != Job.NO_DATA) {
            residents.use(device, job.data, job.dataBytes);
        }
        int lane = Arrays.asList(working[device]).indexOf(null);
        working[device][lane] = job;
        freeLanes[device]--;
        idle.set(device, freeLanes[device] > 0);
        events.set(laneTimers[device][lane], endNanos);
        listener.taken(job, programs);
        if (programs && rule.size() > 0) {
            wakeAll(); // what waits may have been passed over as it was not programmed here
        }
    }

    private void wakeAll() {
        for (int device = idle.nextSetBit(0); device >= 0; device = idle.nextSetBit(device + 1)) {
            events.set(patienceTimers[device], events.now());
        }
    }

    private void end(int device, int lane) {
        Job job = letGo(device, lane);
        idle.set(device);
        rule.end(job, job.copyNanos + job.runNanos);
        end(job, true);
        offer(device);
    }

    private Job letGo(int device, int lane) {
        Job job = working[device][lane];
        working[device][lane] = null;
        freeLanes[device]++;
        return job;
    }

    /** Its bitstream and all data on it are lost. */
    void fail(int device) {
        long now = events.now();
        healthy[device] = false;
        healthyOfPlatform[hardware.platformOf()[device]]--;
        idle.clear(device);
        events.cancel(patienceTimers[device]);
        programmed[device] = NOTHING;
        residents.clear(device);
        List<Job> again = new ArrayList<>(rule.failed(device));
        for (int lane = 0; lane < working[device].length; lane++) {
            if (working[device][lane] != null) {
                events.cancel(laneTimers[device][lane]);
                Job job = letGo(device, lane);
                listener.lost(job, now);
                rule.end(job, Math.max(0, now - job.beginNanos));
                if (job.failedBefore) {
                    end(job, false);
                } else {
                    job.failedBefore = true;
                    again.add(job);
                }
            }
        }
        readyNanos[device] = now;
        drainedNanos[device] = now;
        again.forEach(this::place);
        endStranded();
        wakeAll();
    }

    /** Requests that no healthy device can run must not wait for ever. */
    private void endStranded() {
        if (Arrays.stream(healthyOfPlatform).allMatch(count -> count > 0)) {
            return;
        }
        for (Job job : rule.waiting()) {
            if (!runsSomewhere(job) && rule.remove(job)) {
                end(job, false);
            }
        }
    }

    void repair(int device) {
        healthy[device] = true;
        healthyOfPlatform[hardware.platformOf()[device]]++;
        idle.set(device);
        rule.repaired(device);
        offer(device);
    }
}
