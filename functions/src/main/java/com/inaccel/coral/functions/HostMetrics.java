package com.inaccel.coral.functions;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmGarbageCollectorMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmThreadsMetrics;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;

/**
 * What the host counts, for Prometheus, in base units. Labels take their values from our own enumerations only: no caller can
 * add a series. Thread-safe.
 */
final class HostMetrics {
    static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;
    static final String OK = "ok";
    private static final double NANOS = 1e9;
    /** In seconds. */
    private static final double[] BOUNDS = {1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180};

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Counter calls = Counter.builder().name("coral_function_calls").labelNames("outcome")
        .help("Calls that were answered, by outcome: ok, or the problem").register(registry);
    private final Histogram duration = Histogram.builder().name("coral_function_call_duration_seconds").classicOnly()
        .classicUpperBounds(BOUNDS).help("From a call's first byte to its answer").register(registry);
    private final Gauge running = Gauge.builder().name("coral_function_calls_running")
        .help("Calls that run now, those included whose time was up before they ended").register(registry);
    private final Gauge overdue = Gauge.builder().name("coral_function_calls_overdue")
        .help("Calls that still run after their time was up").register(registry);
    private final Gauge started = Gauge.builder().name("coral_function_cold_start_seconds")
        .help("From the start of the process until it was first ready; 0 before that").register(registry);

    HostMetrics() {
        JvmGarbageCollectorMetrics.builder().register(registry);
        JvmMemoryMetrics.builder().register(registry);
        JvmThreadsMetrics.builder().register(registry);
        ProcessMetrics.builder().register(registry);
    }

    PrometheusRegistry registry() {
        return registry;
    }

    void answered(String outcome, long nanos) {
        calls.labelValues(outcome).inc();
        duration.observe(nanos / NANOS);
    }

    void running(int change) {
        running.inc(change);
    }

    void overdue(int change) {
        overdue.inc(change);
    }

    void started(double seconds) {
        started.set(seconds);
    }

    byte[] text() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create().write(out, registry.scrape());
        return out.toByteArray();
    }
}
