package com.inaccel.coral.simulator;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * What no schedule can beat, even one that knows the future.
 *
 * <p><b>Time.</b> Requests that can run only on some platforms need at least their device time divided by the lanes of those; and
 * nothing ends before it was sent. Copies, programming and failures are taken for free.
 *
 * <p><b>Reprogramming.</b> A device that is programmed with an accelerator runs it for no longer than the scenario lasts. So
 * each accelerator takes at least its device time divided by that, and by the lanes of a device, and at least one.
 *
 * @param makespanNanos of the requests that were done under {@link Simulation#OURS}
 */
record LowerBound(long makespanNanos, long reprogrammings, double busy, double perSecond) {

    /**
     * @param outcome says which requests there were
     * @param arrivedNanos when the last one of open arrivals was sent, at least
     * @param withinNanos for reprogrammings: schedules that end by then
     */
    static LowerBound of(Hardware hardware, Outcome outcome, long arrivedNanos, long withinNanos) {
        long[] work = outcome.runNanos();
        long makespan = Math.max(1, arrivedNanos);
        for (boolean[] platforms : hardware.runs()) {
            long all = IntStream.range(0, work.length).filter(other -> isPart(hardware.runs()[other], platforms))
                .mapToLong(other -> work[other]).sum();
            makespan = Math.max(makespan, all / hardware.lanes(platforms));
        }
        int lanes = hardware.lanes();
        makespan = Math.max(makespan, outcome.totalRunNanos() / lanes);
        int most = Arrays.stream(hardware.platforms()).mapToInt(Hardware.Platform::lanes).max().getAsInt();
        double capacity = (double) Math.max(1, withinNanos) * most;
        long reprogrammings = Arrays.stream(work).filter(one -> one > 0).map(one -> (long) Math.ceil(one / capacity)).sum();
        return new LowerBound(makespan, reprogrammings, outcome.totalRunNanos() / ((double) makespan * lanes),
            outcome.done() * 1e9 / makespan);
    }

    private static boolean isPart(boolean[] platforms, boolean[] of) {
        return IntStream.range(0, of.length).allMatch(i -> !platforms[i] || of[i]);
    }
}
