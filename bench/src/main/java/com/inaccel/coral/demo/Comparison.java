package com.inaccel.coral.demo;

import com.inaccel.coral.bench.support.TextTable;
import com.inaccel.coral.ml.FitReport;
import java.util.Locale;

/** The demo's table: MLlib's fits against Coral's. */
final class Comparison {
    private final TextTable table = new TextTable("", "MLlib", "Coral");

    /** A heading for the rows that follow. */
    Comparison section(String title) {
        table.row(title, "", "");
        return this;
    }

    Comparison row(String what, String ofMllib, String ofCoral) {
        table.row("  " + what, ofMllib, ofCoral);
        return this;
    }

    /** How long each took. */
    Comparison times(Timed<?> mllib, Timed<?> coral) {
        return row("time of fit", seconds(mllib.seconds()), seconds(coral.seconds()))
            .row("speed-up", "1", String.format(Locale.ROOT, "%.1f", mllib.seconds() / coral.seconds()));
    }

    /** Where each ran, and what was moved there. */
    Comparison means(FitReport report) {
        return row("device", "the JVM", String.join(", ", report.devices()))
            .row("precision", "double", report.precision().name().toLowerCase(Locale.ROOT))
            .row("shipped to the device", "",
                String.format(Locale.ROOT, "%,d bytes in %s", report.bytesShipped(), seconds(report.shipNanos() / 1e9)));
    }

    /** The greatest absolute difference of any two numbers, and of what magnitude the numbers are. */
    static String difference(double[] left, double[] right) {
        if (left.length != right.length) {
            return left.length + " against " + right.length + " numbers";
        }
        double difference = 0;
        double magnitude = 0;
        for (int i = 0; i < left.length; i++) {
            difference = Math.max(difference, Math.abs(left[i] - right[i]));
            magnitude = Math.max(magnitude, Math.abs(left[i]));
        }
        return difference == 0 ? "identical" : String.format(Locale.ROOT, "%.1e of %.3g", difference, magnitude);
    }

    static String seconds(double seconds) {
        return String.format(Locale.ROOT, "%.2f s", seconds);
    }

    static String number(double value) {
        return String.format(Locale.ROOT, "%.6e", value);
    }

    static String percent(double share) {
        return String.format(Locale.ROOT, "%.2f %%", 100 * share);
    }

    @Override
    public String toString() {
        return table.toString();
    }
}
