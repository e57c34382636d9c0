package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Contestant.Outcome;
import com.inaccel.coral.bench.support.TextTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** An algorithm's kernel over shapes of data, against what the machine could do. */
final class Shapes {
    private static final int PASSES = 5;

    private final String note;
    private final List<Measured> all = new ArrayList<>();

    /** @param note on the figures, beneath them */
    Shapes(String note) {
        this.note = note;
    }

    /**
     * What a pass over all rows of a shape has to do.
     *
     * @param name e.g. features x centers
     * @param inDouble how the features are stored
     * @param computesInDouble which peak bounds it
     * @param bytes that it reads
     */
    record Shape(String name, boolean inDouble, boolean computesInDouble, long rows, int models, double flops,
            double bytes) {
        String precision() {
            return inDouble ? "double" : "single";
        }
    }

    private record Measured(Shape shape, double[] secondsAPass) {
        double gflops() {
            return shape.flops() / Rounds.median(secondsAPass) / 1e9;
        }

        double gigabytesPerSecond() {
            return shape.bytes() / Rounds.median(secondsAPass) / 1e9;
        }
    }

    /** @param kernel passes over these rows; closed by the caller */
    void measure(Shape shape, Contestant kernel, int repeats) {
        System.err.println(shape.name() + ", " + shape.precision() + " ...");
        double[] seconds = new double[repeats];
        for (int repeat = 0; repeat < repeats; repeat++) {
            Outcome outcome = kernel.fit(new Order(PASSES, shape.models()));
            seconds[repeat] = outcome.seconds() / outcome.iterations();
        }
        all.add(new Measured(shape, seconds));
    }

    String table(Optional<Limits> limits) {
        TextTable table = new TextTable("shape", "precision", "rows", "s a pass: min", "median", "max", "GFLOP/s", "GB/s",
            "of the tighter limit");
        for (Measured measured : all) {
            Shape shape = measured.shape();
            table.row(shape.name(), shape.precision(), String.format(Locale.ROOT, "%,d", shape.rows()),
                format("%.4f", Rounds.least(measured.secondsAPass())),
                format("%.4f", Rounds.median(measured.secondsAPass())),
                format("%.4f", Rounds.most(measured.secondsAPass())), format("%.1f", measured.gflops()),
                format("%.1f", measured.gigabytesPerSecond()),
                limits.map(limit -> share(limit, measured)).orElse("not measured"));
        }
        return table + limits.map(limit -> limit + "\n").orElse("") + note;
    }

    private static String share(Limits limits, Measured measured) {
        double ofPeak = measured.gflops() / limits.gflops(measured.shape().computesInDouble());
        double ofBandwidth = measured.gigabytesPerSecond() / limits.readGigabytesPerSecond();
        return ofPeak > ofBandwidth
            ? format("%.0f%% of flops", 100 * ofPeak) : format("%.0f%% of bytes", 100 * ofBandwidth);
    }

    List<Map<String, Object>> json() {
        List<Map<String, Object>> json = new ArrayList<>();
        for (Measured measured : all) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("shape", measured.shape());
            entry.put("secondsAPass", measured.secondsAPass());
            entry.put("gflops", measured.gflops());
            entry.put("gigabytesPerSecond", measured.gigabytesPerSecond());
            json.add(entry);
        }
        return json;
    }

    private static String format(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
