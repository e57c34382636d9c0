package com.inaccel.coral.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineStats;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.instrumentation.jvm.JvmGarbageCollectorMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmMemoryMetrics;
import io.prometheus.metrics.instrumentation.jvm.JvmThreadsMetrics;
import io.prometheus.metrics.instrumentation.jvm.ProcessMetrics;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.ClassicHistogramBuckets;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot.GaugeDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot.InfoDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * What the manager counts, for Prometheus. Thread-safe.
 *
 * <p>What happens to each request is counted when it happens, with striped adders and no lock; everything else is read
 * from the engine's own counters when somebody scrapes, so that an allocation that has gone takes its series along.
 */
final class Metrics {
    static final String DONE = "done";
    static final String UNKNOWN = "unknown";
    static final String CONTENT_TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;
    /** In seconds: 1, 2.5, 5 of each decade from 10 µs to 10 s, and a minute. */
    private static final double[] BOUNDS = {1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2,
        0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};
    private static final double NANOS = 1e9;

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Counter requests = counter(Metric.REQUESTS);
    private final Counter events = counter(Metric.EVENTS);
    private final Counter eventsLost = counter(Metric.EVENTS_LOST);
    private final Counter labelsFailed = counter(Metric.LABELS_FAILED);
    private final Histogram queue = histogram(Metric.REQUEST_QUEUE);
    private final Histogram transfer = histogram(Metric.REQUEST_TRANSFER);
    private final Histogram run = histogram(Metric.REQUEST_RUN);

    Metrics() {
        JvmGarbageCollectorMetrics.builder().register(registry);
        JvmMemoryMetrics.builder().register(registry);
        JvmThreadsMetrics.builder().register(registry);
        ProcessMetrics.builder().register(registry);
    }

    /**
     * What one allocation's requests came to since it was granted.
     *
     * @param failed refused and cancelled ones included
     * @param waits of those done, counted by how long they waited, up to each of {@link #bounds}
     */
    record Totals(long done, long failed, long[] waits) { }

    /** Upper bounds of the buckets of {@link Totals#waits}, in seconds; the last is infinite. */
    static double[] bounds() {
        double[] all = Arrays.copyOf(BOUNDS, BOUNDS.length + 1);
        all[BOUNDS.length] = Double.POSITIVE_INFINITY;
        return all;
    }

    void requestDone(String allocation, String accelerator, Completion completion) {
        requests.labelValues(allocation, accelerator, DONE).inc();
        queue.labelValues(allocation).observe(completion.queueNanos() / NANOS);
        transfer.labelValues(completion.device()).observe(completion.transferNanos() / NANOS);
        run.labelValues(accelerator).observe(completion.runNanos() / NANOS);
    }

    /** @param accelerator empty when it is not one of ours */
    void requestFailed(String allocation, String accelerator, String code) {
        requests.labelValues(allocation, accelerator.isEmpty() ? UNKNOWN : accelerator, code).inc();
    }

    void event(Event.Kind kind) {
        events.labelValues(kind.id()).inc();
    }

    void eventLost() {
        eventsLost.inc();
    }

    void labelsFailed() {
        labelsFailed.inc();
    }

    /** Ends the series of an allocation. */
    void forget(String allocation) {
        requests.removeIf(labels -> labels.get(0).equals(allocation));
        queue.removeIf(labels -> labels.get(0).equals(allocation));
    }

    /** By allocation. */
    Map<String, Totals> totals() {
        Map<String, long[]> ended = new HashMap<>();
        for (CounterDataPointSnapshot point : requests.collect().getDataPoints()) {
            long[] counts = ended.computeIfAbsent(label(point.getLabels(), "allocation"), name -> new long[2]);
            counts[label(point.getLabels(), "outcome").equals(DONE) ? 0 : 1] += (long) point.getValue();
        }
        Map<String, long[]> waits = new HashMap<>();
        queue.collect().getDataPoints().forEach(point ->
            waits.put(label(point.getLabels(), "allocation"), counts(point.getClassicBuckets())));
        Map<String, Totals> totals = new HashMap<>();
        ended.forEach((name, counts) ->
            totals.put(name, new Totals(counts[0], counts[1], waits.getOrDefault(name, new long[BOUNDS.length + 1]))));
        return totals;
    }

    /** Adds what the engine counts itself; once. */
    void observe(Engine engine) {
        registry.register((MultiCollector) () -> snapshot(engine.devices(), engine.stats()));
    }

    /** In Prometheus's text format. */
    void write(OutputStream out) throws IOException {
        PrometheusTextFormatWriter.create().write(out, registry.scrape());
    }

    private static MetricSnapshots snapshot(List<DeviceInfo> infos, EngineStats stats) {
        List<DeviceStats> devices = stats.devices();
        List<AllocationStats> allocations = stats.allocations();
        List<MetricSnapshot> all = new ArrayList<>(List.of(
            counters(Metric.DEVICE_BUSY, devices, device -> device.busyNanos() / NANOS),
            counters(Metric.DEVICE_REQUESTS, devices, DeviceStats::requests),
            counters(Metric.DEVICE_FAILURES, devices, DeviceStats::failures),
            counters(Metric.DEVICE_PROGRAMMINGS, devices, DeviceStats::programmings),
            counters(Metric.DEVICE_EVICTIONS, devices, DeviceStats::evictions),
            gauges(Metric.DEVICE_HEALTHY, "device", devices, DeviceStats::id, device -> device.healthy() ? 1 : 0),
            gauges(Metric.DEVICE_RUNNING, "device", devices, DeviceStats::id, DeviceStats::running),
            gauges(Metric.DEVICE_RESIDENT, "device", devices, DeviceStats::id, DeviceStats::residentBytes),
            gauges(Metric.DEVICE_MEMORY, "device", infos, DeviceInfo::id, DeviceInfo::memoryBytes),
            allocations(Metric.REQUESTS_WAITING, allocations, AllocationStats::waiting),
            allocations(Metric.SESSIONS, allocations, AllocationStats::sessions),
            allocations(Metric.SEGMENTS, allocations, AllocationStats::segments),
            allocations(Metric.MEMORY_USED, allocations, AllocationStats::usedBytes),
            allocations(Metric.MEMORY_POOLED, allocations, AllocationStats::pooledBytes),
            allocations(Metric.MEMORY_QUOTA, allocations, one -> one.allocation().quotaBytes()),
            single(Metric.MEMORY_LIMIT, stats.limitBytes()),
            single(Metric.HOST_FALLBACKS, stats.hostFallbacks()),
            single(Metric.BITSTREAMS_REFUSED, stats.bitstreamsRefused()),
            CounterSnapshot.builder().name(Metric.REQUEST_RETRIES.stem()).help(Metric.REQUEST_RETRIES.help())
                .dataPoint(CounterDataPointSnapshot.builder().value((double) stats.retries()).build()).build()));
        InfoSnapshot.Builder present = InfoSnapshot.builder().name(Metric.DEVICE.stem()).help(Metric.DEVICE.help());
        infos.forEach(info -> present.dataPoint(InfoDataPointSnapshot.builder().labels(
            Labels.of("device", info.id(), "vendor", info.vendor(), "platform", info.platform())).build()));
        all.add(present.build());
        InfoSnapshot.Builder programmed =
            InfoSnapshot.builder().name(Metric.DEVICE_PROGRAMMED.stem()).help(Metric.DEVICE_PROGRAMMED.help());
        devices.stream().filter(device -> !device.bitstream().isEmpty()).forEach(device ->
            programmed.dataPoint(InfoDataPointSnapshot.builder().labels(
                Labels.of("device", device.id(), "bitstream", device.bitstream())).build()));
        all.add(programmed.build());
        return new MetricSnapshots(all);
    }

    private static MetricSnapshot counters(
            Metric metric, List<DeviceStats> devices, ToDoubleFunction<DeviceStats> value) {
        CounterSnapshot.Builder builder = CounterSnapshot.builder().name(metric.stem()).help(metric.help());
        devices.forEach(device -> builder.dataPoint(CounterDataPointSnapshot.builder()
            .labels(Labels.of("device", device.id())).value(value.applyAsDouble(device)).build()));
        return builder.build();
    }

    private static MetricSnapshot allocations(
            Metric metric, List<AllocationStats> allocations, ToDoubleFunction<AllocationStats> value) {
        return gauges(metric, "allocation", allocations, one -> one.allocation().name(), value);
    }

    private static <T> MetricSnapshot gauges(Metric metric, String label, List<T> items,
            Function<T, String> name, ToDoubleFunction<T> value) {
        GaugeSnapshot.Builder builder = GaugeSnapshot.builder().name(metric.stem()).help(metric.help());
        items.forEach(item -> builder.dataPoint(GaugeDataPointSnapshot.builder()
            .labels(Labels.of(label, name.apply(item))).value(value.applyAsDouble(item)).build()));
        return builder.build();
    }

    private static MetricSnapshot single(Metric metric, long value) {
        return GaugeSnapshot.builder().name(metric.stem()).help(metric.help())
            .dataPoint(GaugeDataPointSnapshot.builder().value((double) value).build()).build();
    }

    private Counter counter(Metric metric) {
        return Counter.builder().name(metric.stem()).help(metric.help()).labelNames(metric.labels()).withoutExemplars()
            .register(registry);
    }

    private Histogram histogram(Metric metric) {
        Histogram.Builder builder = Histogram.builder().name(metric.stem()).help(metric.help())
            .labelNames(metric.labels()).classicOnly().classicUpperBounds(BOUNDS);
        builder.withoutExemplars();
        return builder.register(registry);
    }

    private static String label(Labels labels, String name) {
        return labels.get(name);
    }

    private static long[] counts(ClassicHistogramBuckets buckets) {
        long[] counts = new long[buckets.size()];
        for (int i = 0; i < counts.length; i++) {
            counts[i] = buckets.getCount(i);
        }
        return counts;
    }
}
