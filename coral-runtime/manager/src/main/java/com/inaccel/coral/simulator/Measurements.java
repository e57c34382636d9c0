package com.inaccel.coral.simulator;

import java.util.Arrays;
import java.util.List;

/** Adds up what happens on a {@link VirtualNode}. */
final class Measurements implements VirtualNode.Listener {
    static final int STEP = 1024;

    private final Fairness fairness;
    private final Runnable progress;
    private final long[] waits;
    private final long[] runNanos;
    private int submitted;
    private int done;
    private int failed;
    private int reprogrammings;
    private long busyNanos;
    private long lastSubmittedNanos;
    private long lastEndedNanos;

    /** @param progress called whenever {@value #STEP} more requests have ended */
    Measurements(Scenario scenario, List<Tenant> tenants, boolean[] looping, Runnable progress) {
        this.progress = progress;
        fairness = new Fairness(tenants, looping, scenario.window().nanos());
        waits = new long[scenario.requests()];
        runNanos = new long[scenario.accelerators().size()];
    }

    @Override
    public void submitted(Job job) {
        submitted++;
        lastSubmittedNanos = job.submittedNanos;
        fairness.needs(job.tenant, job.submittedNanos, job.runNanos);
    }

    @Override
    public void taken(Job job, boolean programs) {
        reprogrammings += programs ? 1 : 0;
        fairness.needs(job.tenant, job.beginNanos, job.copyNanos);
    }

    @Override
    public void lost(Job job, long now) {
        worked(job, now);
        fairness.needs(job.tenant, now, Math.max(0, now - job.beginNanos)); // it was for nothing
    }

    @Override
    public void ended(Job job, boolean ran, long now) {
        lastEndedNanos = now;
        fairness.asked(job.tenant, job.submittedNanos, now);
        if (ran) {
            worked(job, now);
            waits[done++] = now - job.submittedNanos - job.runNanos;
            runNanos[job.accelerator] += job.runNanos;
        } else {
            failed++;
        }
        if ((done + failed) % STEP == 0) {
            progress.run();
        }
    }

    /** Also for nothing, where the device failed: the time was given. */
    private void worked(Job job, long now) {
        if (now > job.beginNanos) {
            busyNanos += now - job.beginNanos;
            fairness.got(job.tenant, job.beginNanos, now);
        }
    }

    /** @param lanes of all devices */
    Outcome outcome(String rule, int lanes) {
        if (done + failed != submitted) {
            throw new IllegalStateException("requests lost: rule=" + rule + ", submitted=" + submitted + ", done=" + done
                + ", failed=" + failed);
        }
        long[] sorted = Arrays.copyOf(waits, done);
        Arrays.sort(sorted);
        double busy = lastEndedNanos == 0 ? 0 : busyNanos / ((double) lanes * lastEndedNanos);
        return new Outcome(rule, done, failed, reprogrammings, lastSubmittedNanos, lastEndedNanos, busy,
            fairness.index(lastSubmittedNanos), sorted, runNanos);
    }
}
