package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ml.SparkMetric;
import java.io.Serializable;
import java.util.Set;
import java.util.TreeSet;

/** Where requests ran and what their time went into, summed. Not thread-safe. */
public final class RunStats implements Serializable {
    private static final long serialVersionUID = 1L;

    private final Set<String> devices = new TreeSet<>();
    private long queueNanos;
    private long transferNanos;
    private long runNanos;

    /** A request that was done, in the process that asked for it. */
    void add(Completion completion) {
        devices.add(completion.device());
        queueNanos += completion.queueNanos();
        transferNanos += completion.transferNanos();
        runNanos += completion.runNanos();
        SparkMetric.REQUESTS_DONE.add(1);
        SparkMetric.QUEUE_NANOS.add(completion.queueNanos());
        SparkMetric.TRANSFER_NANOS.add(completion.transferNanos());
        SparkMetric.RUN_NANOS.add(completion.runNanos());
    }

    void add(RunStats other) {
        devices.addAll(other.devices);
        queueNanos += other.queueNanos;
        transferNanos += other.transferNanos;
        runNanos += other.runNanos;
    }

    public Set<String> devices() {
        return Set.copyOf(devices);
    }

    public long queueNanos() {
        return queueNanos;
    }

    public long transferNanos() {
        return transferNanos;
    }

    public long runNanos() {
        return runNanos;
    }
}
