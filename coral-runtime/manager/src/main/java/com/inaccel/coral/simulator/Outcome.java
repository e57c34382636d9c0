package com.inaccel.coral.simulator;

import java.util.Arrays;

/**
 * What became of a scenario's requests under one rule. Times are in nanoseconds.
 *
 * @param failed requests under which devices failed twice, or that no healthy device could run
 * @param submittedNanos until the last one was sent
 * @param makespanNanos until the last one ended
 * @param busy part of all lanes' time in which they ran or copied something
 * @param jain see {@link Fairness}
 * @param waits of those that were done, in ascending order: from submission to end, without the run itself
 * @param runNanos by accelerator: device time of all that were done, copies not included
 */
record Outcome(String rule, int done, int failed, int reprogrammings, long submittedNanos, long makespanNanos,
        double busy, double jain, long[] waits, long[] runNanos) {

    /** Nearest rank. */
    long waited(double quantile) {
        return waits.length == 0 ? 0 : waits[Math.max(0, (int) Math.ceil(quantile * waits.length) - 1)];
    }

    double perSecond() {
        return makespanNanos == 0 ? 0 : done * 1e9 / makespanNanos;
    }

    long totalRunNanos() {
        return Arrays.stream(runNanos).sum();
    }
}
