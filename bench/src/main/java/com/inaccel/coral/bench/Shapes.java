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

    private final List<Shape> shapes = new ArrayList<>();

    /** One shape in one precision, and how long a pass over all rows took in each repeat. */
    private record Shape(Workload workload, boolean inDouble, double[] secondsAPass) {
        double flops() {
            return workload.flops(1);
        }

        double bytes() {
            return (double) workload.rows() * workload.features() * (inDouble ? Double.BYTES : Float.BYTES);
        }

        String precision() {
            return inDouble ? "double" : "single";
        }
    }

    private Shapes() { }

    static Shapes measure(int repeats) {
        Shapes shapes = new Shapes();
        for (int[] shape : FEATURES_BY_K) {
            for (boolean inDouble : new boolean[] {false, true}) {
                shapes.shapes.add(measure(shape[0], shape[1], inDouble, repeats));
            }
        }
        return shapes;
    }

    private static Shape measure(int features, int k, boolean inDouble, int repeats) {
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
        return new Shape(workload, inDouble, seconds);
    }

    String table(Optional<Limits> limits) {
        TextTable table = new TextTable("features x k", "precision", "rows", "s a pass: min", "median", "max",
            "GFLOP/s", "GB/s", "of the tighter limit");
        for (Shape shape : shapes) {
            Workload workload = shape.workload();
            double median = Rounds.median(shape.secondsAPass());
            table.row(workload.features() + " x " + workload.k(), shape.precision(),
                String.format(Locale.ROOT, "%,d", workload.rows()),
                format("%.4f", Rounds.least(shape.secondsAPass())), format("%.4f", median),
                format("%.4f", Rounds.most(shape.secondsAPass())),
                format("%.1f", shape.flops() / median / 1e9), format("%.1f", shape.bytes() / median / 1e9),
                limits.map(limit -> share(limit, shape, median)).orElse("not measured"));
        }
        return table + limits.map(limit -> limit
            + "\nDouble rows may pass their peak: what is proven in single need not be computed in double.\n").orElse("");
    }

    private static String share(Limits limits, Shape shape, double seconds) {
        double ofPeak = shape.flops() / (limits.gflops(shape.inDouble()) * 1e9) / seconds;
        double ofBandwidth = shape.bytes() / (limits.readGigabytesPerSecond() * 1e9) / seconds;
        return ofPeak > ofBandwidth
            ? format("%.0f%% of flops", 100 * ofPeak) : format("%.0f%% of bytes", 100 * ofBandwidth);
    }

    List<Map<String, Object>> json() {
        List<Map<String, Object>> json = new ArrayList<>();
        for (Shape shape : shapes) {
            double median = Rounds.median(shape.secondsAPass());
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("features", shape.workload().features());
            entry.put("k", shape.workload().k());
            entry.put("precision", shape.precision());
            entry.put("rows", shape.workload().rows());
            entry.put("secondsAPass", shape.secondsAPass());
            entry.put("gflops", shape.flops() / median / 1e9);
            entry.put("gigabytesPerSecond", shape.bytes() / median / 1e9);
            json.add(entry);
        }
        return json;
    }

    private static String format(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
