package com.inaccel.coral.demo;

import com.inaccel.coral.bench.support.TextTable;
import com.inaccel.coral.ml.FitReport;
import java.util.List;
import java.util.Locale;

/** The demo's table: MLlib's fit against Coral's. */
final class Comparison {
    private Comparison() { }

    static TextTable of(Fit mllib, Fit coral, FitReport report) {
        String difference = centerDifference(mllib.centers(), coral.centers());
        return new TextTable("", mllib.name(), coral.name())
            .row("time of fit", seconds(mllib.seconds()), seconds(coral.seconds()))
            .row("speed-up", "1", String.format(Locale.ROOT, "%.1f", mllib.seconds() / coral.seconds()))
            .row("iterations", Integer.toString(mllib.iterations()), Integer.toString(coral.iterations()))
            .row("cost", number(mllib.cost()), number(coral.cost()))
            .row("greatest difference of a center", "", difference)
            .row("device", "the JVM", String.join(", ", report.devices()))
            .row("precision", "double", report.precision().name().toLowerCase(Locale.ROOT))
            .row("shipped to the device", "",
                String.format(Locale.ROOT, "%,d bytes in %s", report.bytesShipped(), seconds(report.shipNanos() / 1e9)));
    }

    /** The greatest absolute difference of any coordinate, and of what magnitude the coordinates are. */
    static String centerDifference(List<double[]> left, List<double[]> right) {
        if (left.size() != right.size()) {
            return left.size() + " against " + right.size() + " centers";
        }
        double difference = 0;
        double magnitude = 0;
        for (int center = 0; center < left.size(); center++) {
            for (int feature = 0; feature < left.get(center).length; feature++) {
                double value = left.get(center)[feature];
                difference = Math.max(difference, Math.abs(value - right.get(center)[feature]));
                magnitude = Math.max(magnitude, Math.abs(value));
            }
        }
        return difference == 0 ? "none" : String.format(Locale.ROOT, "%.1e of %.0f", difference, magnitude);
    }

    private static String seconds(double seconds) {
        return String.format(Locale.ROOT, "%.2f s", seconds);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.6e", value);
    }
}
