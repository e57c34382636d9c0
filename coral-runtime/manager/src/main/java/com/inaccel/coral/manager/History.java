package com.inaccel.coral.manager;

import com.inaccel.coral.engine.EngineStats;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.manager.Metrics.Totals;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.concurrent.TimeUnit;

/**
 * The last minutes, second by second. Whoever samples brings the time, so that it needs no clock. Thread-safe.
 *
 * <p>Rates and waiting times are those of the last {@value #WINDOW} samples: what the counters, which only grow, grew by.
 */
final class History {
    static final int SAMPLES = 300;
    static final int WINDOW = 10;

    /** Oldest first; no more than the window and the one before it. */
    private final Deque<Sample> window = new ArrayDeque<>();
    /** Oldest first. */
    private final Deque<Point> points = new ArrayDeque<>();

    private record Sample(long nanos, Map<String, Long> busyNanos, Map<String, Totals> totals) { }

    private record Point(long millis, Map<String, Integer> utilization, Map<String, Integer> waiting) { }

    /**
     * The charts' lines. Values stand below the time at the same index; null where there was no such allocation.
     *
     * @param utilization percent of the second before, by device
     * @param waiting requests, by allocation
     */
    record Lines(List<Long> millis, Map<String, List<Integer>> utilization, Map<String, List<Integer>> waiting) { }

    /** Of the window; the times are empty when nothing was done in it. */
    record Rates(double donePerSecond, double failedPerSecond, OptionalDouble waitP50Seconds,
            OptionalDouble waitP95Seconds) { }

    synchronized void sample(long millis, long nanos, EngineStats stats, Map<String, Totals> totals) {
        Map<String, Long> busy = new HashMap<>();
        stats.devices().forEach(device -> busy.put(device.id(), device.busyNanos()));
        Sample before = window.peekLast();
        if (before != null && nanos <= before.nanos) {
            return;
        }
        Map<String, Integer> utilization = new HashMap<>();
        for (DeviceStats device : stats.devices()) {
            double part = before == null ? 0
                : (double) (device.busyNanos() - before.busyNanos.getOrDefault(device.id(), device.busyNanos()))
                    / (nanos - before.nanos);
            utilization.put(device.id(), (int) Math.round(100 * Math.max(0, Math.min(1, part))));
        }
        Map<String, Integer> waiting = new HashMap<>();
        for (AllocationStats allocation : stats.allocations()) {
            waiting.put(allocation.allocation().name(), allocation.waiting());
        }
        window.addLast(new Sample(nanos, busy, totals));
        if (window.size() > WINDOW + 1) {
            window.removeFirst();
        }
        points.addLast(new Point(millis, utilization, waiting));
        if (points.size() > SAMPLES) {
            points.removeFirst();
        }
    }

    synchronized Lines lines() {
        List<Long> millis = new ArrayList<>(points.size());
        Map<String, List<Integer>> utilization = new LinkedHashMap<>();
        Map<String, List<Integer>> waiting = new LinkedHashMap<>();
        int index = 0;
        for (Point point : points) {
            millis.add(point.millis);
            append(utilization, point.utilization, index);
            append(waiting, point.waiting, index);
            index++;
        }
        return new Lines(millis, utilization, waiting);
    }

    private static void append(Map<String, List<Integer>> lines, Map<String, Integer> values, int index) {
        values.keySet().stream().sorted().forEach(name -> lines.computeIfAbsent(name, any -> new ArrayList<>()));
        lines.forEach((name, line) -> {
            while (line.size() < index) {
                line.add(null);
            }
            line.add(values.get(name));
        });
    }

    /** Percent, by device, of the last second. */
    synchronized Map<String, Integer> utilization() {
        return points.isEmpty() ? Map.of() : points.peekLast().utilization;
    }

    synchronized Rates rates(String allocation) {
        Totals none = new Totals(0, 0, new long[Metrics.bounds().length]);
        Sample first = window.peekFirst();
        Sample last = window.peekLast();
        if (first == null || first.nanos == last.nanos) {
            return new Rates(0, 0, OptionalDouble.empty(), OptionalDouble.empty());
        }
        Totals from = first.totals.getOrDefault(allocation, none);
        Totals to = last.totals.getOrDefault(allocation, none);
        if (to.done() < from.done() || to.failed() < from.failed()) {
            from = none; // it went, and another came by its name
        }
        double seconds = (double) (last.nanos - first.nanos) / TimeUnit.SECONDS.toNanos(1);
        long[] waits = new long[to.waits().length];
        for (int i = 0; i < waits.length; i++) {
            waits[i] = Math.max(0, to.waits()[i] - from.waits()[i]);
        }
        return new Rates((to.done() - from.done()) / seconds, (to.failed() - from.failed()) / seconds,
            quantile(0.5, waits, Metrics.bounds()), quantile(0.95, waits, Metrics.bounds()));
    }

    /** As Prometheus does it: values are taken to lie evenly within a bucket, and on the last bound beyond it. */
    static OptionalDouble quantile(double part, long[] counts, double[] bounds) {
        long total = 0;
        for (long count : counts) {
            total += count;
        }
        if (total == 0) {
            return OptionalDouble.empty();
        }
        double rank = part * total;
        long below = 0;
        for (int i = 0; i < counts.length; i++) {
            if (counts[i] > 0 && below + counts[i] >= rank) {
                double lower = i == 0 ? 0 : bounds[i - 1];
                return OptionalDouble.of(Double.isInfinite(bounds[i]) ? lower
                    : lower + (bounds[i] - lower) * (rank - below) / counts[i]);
            }
            below += counts[i];
        }
        throw new IllegalArgumentException("not a part: " + part);
    }
}
