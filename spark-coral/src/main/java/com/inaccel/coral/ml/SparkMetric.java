package com.inaccel.coral.ml;

import com.codahale.metrics.Counter;
import com.codahale.metrics.MetricRegistry;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What this process has done for Spark since it started, counted whether or not {@link CoralPlugin} shows it. It counts what
 * happened: work whose task failed or was repeated is in it each time, unlike in accumulators and {@link FitReport}s.
 */
public enum SparkMetric {
    PARTITIONS_SHIPPED(Side.EXECUTOR, "partitionsShipped", "Partitions read and shipped to the end"),
    BYTES_SHIPPED(Side.EXECUTOR, "bytesShipped", "Shared memory that they took, in bytes"),
    SHIP_NANOS(Side.EXECUTOR, "shipNanos", "Time that tasks spent reading and shipping them"),
    REQUESTS_DONE(Side.EXECUTOR, "requestsDone", "Requests that devices have done"),
    REQUESTS_FAILED(Side.EXECUTOR, "requestsFailed", "Requests whose failure failed a task; not those cancelled with it"),
    QUEUE_NANOS(Side.EXECUTOR, "queueNanos", "Time that requests waited for a device"),
    TRANSFER_NANOS(Side.EXECUTOR, "transferNanos", "Time that copying to and from devices took"),
    RUN_NANOS(Side.EXECUTOR, "runNanos", "Time that devices took to execute requests"),
    HOST_FALLBACKS(Side.EXECUTOR, "hostFallbacks",
        "Sessions opened that found pure Java where OpenCL was looked for, which is many times slower"),
    EMBEDDED_FALLBACKS(Side.EXECUTOR, "embeddedFallbacks",
        "Sessions opened at an engine inside the executor: no address was set, and there was no node manager's socket"),
    SHIPMENTS(Side.DRIVER, "shipments", "Datasets shipped"),
    PASSES(Side.DRIVER, "passes", "Times that fits went over shipped data, or some of it");

    /** Whose process counts it; in local mode one is both. */
    enum Side { DRIVER, EXECUTOR }

    private final Side side;
    private final String id;
    private final String meaning;
    @SuppressWarnings("ImmutableEnumChecker") // it is there to change
    private final Counter counter = new Counter();

    SparkMetric(Side side, String id, String meaning) {
        this.side = side;
        this.id = id;
        this.meaning = meaning;
    }

    /** Any thread. */
    public void add(long amount) {
        counter.inc(amount);
    }

    static void register(Side side, MetricRegistry registry) {
        Arrays.stream(values()).filter(metric -> metric.side == side)
            .forEach(metric -> registry.register(metric.id, metric.counter));
    }

    /** The table of the documentation. */
    static String markdownTable() {
        return Arrays.stream(values())
            .map(metric -> "| `" + metric.id + "` | " + metric.side.name().toLowerCase(Locale.ROOT) + " | " + metric.meaning
                + " |")
            .collect(Collectors.joining("\n", "| counter | of | meaning |\n| --- | --- | --- |\n", "\n"));
    }
}
