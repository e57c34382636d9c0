package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Outcome;
import com.inaccel.coral.bench.support.TextTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Runs contestants in turn, A B C A B C, and keeps what came of it. Machines drift while a benchmark runs: so what is
 * compared is the ratio within each round, of fits that ran next to each other.
 */
final class Rounds {
    /** Against the first contestant: they may start from other centers, and so end in another local optimum. */
    private static final double COST_TOLERANCE = 0.05;
    private static final long CHECKED_ROWS = 100_000;

    private final Workload workload;
    private final List<Entry> entries = new ArrayList<>();

    /** A contestant with its outcomes, one a round, and the mean cost of a row under its last centers. */
    static final class Entry {
        final String name;
        final Map<String, String> about;
        final List<Outcome> outcomes = new ArrayList<>();
        double meanCost;

        Entry(String name, Map<String, String> about) {
            this.name = name;
            this.about = about;
        }

        double[] seconds() {
            return outcomes.stream().mapToDouble(Outcome::seconds).toArray();
        }

        /** Median over the rounds of one of the contestant's own measurements; NaN where it has no such. */
        double detail(String key) {
            return median(outcomes.stream().mapToDouble(outcome -> outcome.details().getOrDefault(key, Double.NaN))
                .toArray());
        }
    }

    private Rounds(Workload workload) {
        this.workload = workload;
    }

    static Rounds run(Workload workload, List<Contestant> contestants, int repeats) {
        Rounds rounds = new Rounds(workload);
        contestants.forEach(contestant -> rounds.entries.add(new Entry(contestant.name(), contestant.about())));
        for (int round = 1; round <= repeats; round++) {
            for (int index = 0; index < contestants.size(); index++) {
                Outcome outcome = contestants.get(index).fit();
                rounds.entries.get(index).outcomes.add(outcome);
                System.err.printf(Locale.ROOT, "round %d of %d: %s %.3f s%n",
                    round, repeats, contestants.get(index).name(), outcome.seconds());
            }
        }
        for (Entry entry : rounds.entries) {
            Outcome last = entry.outcomes.get(repeats - 1);
            entry.meanCost = workload.meanCost(last.centers(), CHECKED_ROWS);
        }
        return rounds;
    }

    List<Entry> entries() {
        return entries;
    }

    /** Those whose centers are no such good ones as the first contestant's: their times say nothing. */
    List<String> wrong() {
        double expected = entries.get(0).meanCost;
        return entries.stream().filter(entry -> !(entry.meanCost <= expected * (1 + COST_TOLERANCE)
            && entry.meanCost >= expected * (1 - COST_TOLERANCE))).map(entry -> entry.name).toList();
    }

    /** Of each round: how many times as long as the first contestant. */
    double[] ratios(Entry entry) {
        double[] base = entries.get(0).seconds();
        double[] seconds = entry.seconds();
        double[] ratios = new double[seconds.length];
        Arrays.setAll(ratios, round -> seconds[round] / base[round]);
        return ratios;
    }

    TextTable table() {
        TextTable table = new TextTable("", "s: min", "median", "max", "ratio: min", "median", "max", "iterations",
            "cost a row", "GFLOP/s", "precision", "BLAS");
        for (Entry entry : entries) {
            double[] seconds = entry.seconds();
            double[] ratios = ratios(entry);
            int iterations = entry.outcomes.get(0).iterations();
            table.row(entry.name, number(least(seconds)), number(median(seconds)), number(most(seconds)),
                ratio(least(ratios)), ratio(median(ratios)), ratio(most(ratios)), Integer.toString(iterations),
                String.format(Locale.ROOT, "%.5f", entry.meanCost),
                String.format(Locale.ROOT, "%.1f", workload.flops(iterations) / median(seconds) / 1e9),
                entry.about.getOrDefault("precision", ""), entry.about.getOrDefault("blas", ""));
        }
        return table;
    }

    List<Map<String, Object>> json() {
        List<Map<String, Object>> list = new ArrayList<>();
        for (Entry entry : entries) {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("name", entry.name);
            json.put("about", entry.about);
            json.put("seconds", entry.seconds());
            json.put("timesFirst", ratios(entry));
            json.put("iterations", entry.outcomes.stream().mapToInt(Outcome::iterations).toArray());
            json.put("meanCost", entry.meanCost);
            json.put("details", entry.outcomes.stream().map(Outcome::details).toList());
            list.add(json);
        }
        return list;
    }

    static double least(double[] values) {
        return Arrays.stream(values).min().orElse(Double.NaN);
    }

    static double most(double[] values) {
        return Arrays.stream(values).max().orElse(Double.NaN);
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static String number(double seconds) {
        return String.format(Locale.ROOT, "%.3f", seconds);
    }

    private static String ratio(double ratio) {
        return String.format(Locale.ROOT, "%.2f", ratio);
    }
}
