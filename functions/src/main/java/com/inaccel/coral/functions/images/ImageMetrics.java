package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.Problem;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Locale;

/** What the image function counts. Labels are our own words only. Thread-safe. */
final class ImageMetrics {
    private static final double NANOS = 1e9;
    private static final double[] BOUNDS = {1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

    private final Counter objects;
    private final Counter deadLetters;
    private final Histogram stages;

    /** What became of an object. */
    enum Outcome {
        /** Processed now. */
        DONE,
        /** Its results were there already: the same event came twice. */
        UNCHANGED,
        /** A result of this function, or what it put aside: it is not processed again. */
        OWN
    }

    ImageMetrics(PrometheusRegistry registry) {
        objects = Counter.builder().name("coral_function_objects").labelNames("outcome")
            .help("Objects of a store, by outcome: done, unchanged (the results were there), own (a result itself), or the problem")
            .register(registry);
        deadLetters = Counter.builder().name("coral_function_dead_letters")
            .help("Objects put aside because they can never be processed").register(registry);
        stages = Histogram.builder().name("coral_function_image_stage_seconds").classicOnly().classicUpperBounds(BOUNDS)
            .labelNames("stage").help("Of one image: read, decode, wait (for heap), accelerate, device (of accelerate), encode, write")
            .register(registry);
    }

    void ended(Outcome outcome) {
        objects.labelValues(outcome.name().toLowerCase(Locale.ROOT)).inc();
    }

    void failed(Problem problem) {
        objects.labelValues(problem.name()).inc();
    }

    void putAside() {
        deadLetters.inc();
    }

    void stage(String stage, long nanos) {
        stages.labelValues(stage).observe(nanos / NANOS);
    }
}
