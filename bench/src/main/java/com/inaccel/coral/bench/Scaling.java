package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Contestant.Outcome;
import com.inaccel.coral.bench.Rounds.Entry;
import com.inaccel.coral.bench.Rounds.Judge;
import com.inaccel.coral.bench.SparkWorker.Source;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** How Coral's time and memory grow with the rows, and how fast rows reach shared memory. */
final class Scaling {
    private static final long[] ROWS = {100_000, 200_000, 400_000, 1_000_000, 2_000_000, 4_000_000};
    /** One contestant alone: there is nobody to compare it with. */
    private static final Judge UNJUDGED = new Judge((model, index) -> 0, 0);

    private Scaling() { }

    static String run(Contestants contestants, Class<? extends SparkWorker> worker, Workload workload, long maxRows,
            int repeats, Map<String, Object> figures) throws IOException {
        TextTable table = new TextTable("rows", "median s", "us a row", "iterations", "ship s", "init s", "iterate s",
            "heap MB", "shared bytes a row", "of values x width");
        List<Map<String, Object>> json = new ArrayList<>();
        for (long rows : ROWS) {
            if (rows <= maxRows) {
                Entry entry = measure(contestants, worker, workload.withRows(rows), Source.CACHED_VECTORS, repeats);
                double seconds = Rounds.median(entry.seconds());
                double bytes = entry.detail("bytesShipped") / rows;
                table.row(String.format(Locale.ROOT, "%,d", rows), format("%.3f", seconds),
                    format("%.3f", seconds / rows * 1e6), Integer.toString(entry.iterations()),
                    format("%.3f", entry.detail("shipSeconds")), format("%.3f", entry.detail("initSeconds")),
                    format("%.3f", entry.detail("iterateSeconds")), format("%.0f", entry.detail("heapBytes") / 1e6),
                    format("%.1f", bytes), format("%.3f", bytes / (workload.valuesOfARow() * width(entry))));
                json.add(figures(rows, Source.CACHED_VECTORS, entry));
            }
        }
        figures.put("workload", workload);
        figures.put("scale", json);
        return table.toString();
    }

    static String ship(Contestants contestants, Class<? extends SparkWorker> worker, Workload workload, int repeats,
            Map<String, Object> figures) throws IOException {
        TextTable table = new TextTable("from", "precision", "MB shipped", "ship s", "core s", "GB/s", "GB/s a core");
        List<Map<String, Object>> json = new ArrayList<>();
        for (Source source : Source.values()) {
            Entry entry = measure(contestants, worker, workload, source, repeats);
            double bytes = entry.detail("bytesShipped");
            table.row(source == Source.CACHED_VECTORS ? "cached vectors" : "Parquet array<float>",
                entry.about.get("precision"), format("%.1f", bytes / 1e6), format("%.3f", entry.detail("shipSeconds")),
                format("%.3f", entry.detail("shipTaskSeconds")),
                format("%.2f", bytes / entry.detail("shipSeconds") / 1e9),
                format("%.2f", bytes / entry.detail("shipTaskSeconds") / 1e9));
            json.add(figures(workload.rows(), source, entry));
        }
        figures.put("workload", workload);
        figures.put("ship", json);
        return table.toString();
    }

    private static Entry measure(Contestants contestants, Class<? extends SparkWorker> worker, Workload workload,
            Source source, int repeats) throws IOException {
        Contestant contestant = contestants.startCoral(worker, workload, source);
        try {
            Order order = new Order(workload.iterations(), 1);
            return Rounds.run(UNJUDGED, List.of(contestant), order, repeats).entries().get(0);
        } finally {
            contestants.end(contestant);
        }
    }

    private static int width(Entry entry) {
        return "double".equals(entry.about.get("precision")) ? Double.BYTES : Float.BYTES;
    }

    private static Map<String, Object> figures(long rows, Source source, Entry entry) {
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("rows", rows);
        figures.put("source", source);
        figures.put("about", entry.about);
        figures.put("seconds", entry.seconds());
        figures.put("details", entry.outcomes.stream().map(Outcome::details).toList());
        return figures;
    }

    private static String format(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
