package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Outcome;
import com.inaccel.coral.bench.support.TextTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** The kernel over shapes from narrow to wide and few to many centers, against what the machine could do. */
final class Shapes {
    private static final int[][] FEATURES_BY_K =
        {{64, 128}, {784, 10}, {20, 10}, {16, 16}, {3, 16}, {64, 1000}, {784, 1000}};
    /** Of one pass: long against the cost of a request, yet soon over. */
    private static final double MOST_FLOPS = 4e10;
    /** Of all rows: beyond any cache. */
    private static final long MOST_BYTES = 512L << 20;
    private static final int ITERATIONS = 5;
    private static final long SEED = 1;

    private Shapes() { }

    static String run(int repeats, Optional<Limits> limits, Map<String, Object> figures) {
        TextTable table = new TextTable("features x k", "precision", "rows", "s a pass: min", "median", "max",
            "GFLOP/s", "of float peak", "of double peak", "GB/s", "of bandwidth");
        List<Map<String, Object>> json = new ArrayList<>();
        for (int[] shape : FEATURES_BY_K) {
            for (boolean inDouble : new boolean[] {false, true}) {
                measure(shape[0], shape[1], inDouble, repeats, limits, table, json);
            }
        }
        figures.put("shapes", json);
        return table + "Double rows may pass the double peak: an accelerator is free to compute in single what it can "
            + "prove in single.\n";
    }

    private static void measure(int features, int k, boolean inDouble, int repeats, Optional<Limits> limits,
            TextTable table, List<Map<String, Object>> json) {
        int width = inDouble ? Double.BYTES : Float.BYTES;
        long rows = (long) Math.min(MOST_BYTES / ((double) width * features), MOST_FLOPS / (2.0 * features * k));
        Workload workload = new Workload(rows, features, k, ITERATIONS, SEED, "random");
        System.err.println(features + " x " + k + (inDouble ? " double" : " single") + " ...");
        double[] seconds = new double[repeats];
        try (KernelLloyd kernel = KernelLloyd.start(workload, inDouble)) {
            for (int repeat = 0; repeat < repeats; repeat++) {
                Outcome outcome = kernel.fit();
                seconds[repeat] = outcome.seconds() / outcome.iterations();
            }
        }
        double median = Rounds.median(seconds);
        double gflops = workload.flops(1) / median / 1e9;
        double gigabytes = (double) rows * features * width / median / 1e9;
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("features", features);
        entry.put("k", k);
        entry.put("precision", inDouble ? "double" : "single");
        entry.put("rows", rows);
        entry.put("secondsAPass", seconds);
        entry.put("gflops", gflops);
        entry.put("gigabytesPerSecond", gigabytes);
        json.add(entry);
        table.row(features + " x " + k, inDouble ? "double" : "single", String.format(Locale.ROOT, "%,d", rows),
            format("%.4f", Rounds.least(seconds)), format("%.4f", median), format("%.4f", Rounds.most(seconds)),
            format("%.1f", gflops),
            limits.map(limit -> share(gflops, limit.floatGflops())).orElse("?"),
            limits.map(limit -> share(gflops, limit.doubleGflops())).orElse("?"),
            format("%.1f", gigabytes),
            limits.map(limit -> share(gigabytes, limit.readGigabytesPerSecond())).orElse("?"));
    }

    private static String share(double value, double limit) {
        return format("%.0f%%", 100 * value / limit);
    }

    private static String format(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
