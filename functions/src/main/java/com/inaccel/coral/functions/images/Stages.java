package com.inaccel.coral.functions.images;

import static java.util.stream.Collectors.joining;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Where the time of one image went, in nanoseconds by stage. For one thread. */
final class Stages {
    private static final double MILLI = 1e6;

    private final ImageMetrics metrics;
    private final Map<String, Long> nanos = new LinkedHashMap<>();
    private long since = System.nanoTime();

    Stages(ImageMetrics metrics) {
        this.metrics = metrics;
    }

    /** Ends a stage that began when the one before it ended. */
    void end(String stage) {
        long now = System.nanoTime();
        add(stage, now - since);
        since = now;
    }

    void add(String stage, long took) {
        nanos.merge(stage, took, Long::sum);
        metrics.stage(stage, took);
    }

    /** In milliseconds. */
    Map<String, Double> millis() {
        Map<String, Double> millis = new LinkedHashMap<>();
        nanos.forEach((stage, took) -> millis.put(stage, Math.round(took / 1e3) / 1e3));
        return millis;
    }

    /** As HTTP's Server-Timing header has it, which browsers show. */
    String serverTiming() {
        return nanos.entrySet().stream()
            .map(entry -> String.format(Locale.ROOT, "%s;dur=%.3f", entry.getKey(), entry.getValue() / MILLI))
            .collect(joining(", "));
    }
}
