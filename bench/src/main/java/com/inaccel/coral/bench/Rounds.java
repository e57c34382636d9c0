package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Contestant.Outcome;
import com.inaccel.coral.bench.support.TextTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;

/**
 * Runs contestants in turn, A B C A B C, and keeps what came of it. Machines drift while a benchmark runs: so what is
 * compared is the ratio within each round, of fits that ran next to each other.
 */
final class Rounds {
    private final Judge judge;
    private final List<Entry> entries = new ArrayList<>();

    /** Someone who fits in each round, and what. The same contestant may do so with several orders. */
    record Entrant(String name, Contestant contestant, Order order) { }

    /**
     * By what all results are compared: computed by none of the contestants, in double, outside the timed region.
     *
     * @param tolerance relative, to either side
     */
    record Judge(Objective objective, double tolerance) {
        /** How good a model is for the parameter map of this index. */
        interface Objective {
            double of(double[] model, int index);
        }
    }

    /** A column of the table that only some algorithms have. */
    record Column(String header, Function<Entry, String> cell) { }

    /** A contestant with its outcomes, one a round, and the objectives that its last models reach. */
    static final class Entry {
        final String name;
        final Map<String, String> about;
        final List<Outcome> outcomes = new ArrayList<>();
        double[] objectives = {};

        Entry(String name, Map<String, String> about) {
            this.name = name;
            this.about = about;
        }

        double[] seconds() {
            return outcomes.stream().mapToDouble(Outcome::seconds).toArray();
        }

        int iterations() {
            return outcomes.get(0).iterations();
        }

        /** Median over the rounds of one of the contestant's own measurements; NaN where it has no such. */
        double detail(String key) {
            return median(outcomes.stream().mapToDouble(outcome -> outcome.details().getOrDefault(key, Double.NaN))
                .toArray());
        }
    }

    private Rounds(Judge judge) {
        this.judge = judge;
    }

    /** Each contestant with the same order. */
    static Rounds run(Judge judge, List<Contestant> contestants, Order order, int repeats) {
        return run(judge,
            contestants.stream().map(contestant -> new Entrant(contestant.name(), contestant, order)).toList(), repeats);
    }

    static Rounds run(Judge judge, List<Entrant> entrants, int repeats) {
        Rounds rounds = new Rounds(judge);
        entrants.forEach(entrant -> rounds.entries.add(new Entry(entrant.name(), entrant.contestant().about())));
        for (int round = 1; round <= repeats; round++) {
            for (int index = 0; index < entrants.size(); index++) {
                Entrant entrant = entrants.get(index);
                Outcome outcome = entrant.contestant().fit(entrant.order());
                rounds.entries.get(index).outcomes.add(outcome);
                System.err.printf(Locale.ROOT, "round %d of %d: %s %.3f s%n",
                    round, repeats, entrant.name(), outcome.seconds());
            }
        }
        for (Entry entry : rounds.entries) {
            double[][] models = entry.outcomes.get(repeats - 1).models();
            entry.objectives = new double[models.length];
            Arrays.setAll(entry.objectives, index -> judge.objective().of(models[index], index));
        }
        return rounds;
    }

    List<Entry> entries() {
        return entries;
    }

    /** Those whose models are no such good ones as those of the first who fitted the same: their times say nothing. */
    List<String> wrong() {
        return entries.stream().filter(this::isWrong).map(entry -> entry.name).toList();
    }

    private boolean isWrong(Entry entry) {
        for (int index = 0; index < entry.objectives.length; index++) {
            double expected = expected(index).orElseThrow();
            if (!(Math.abs(entry.objectives[index] - expected) <= judge.tolerance() * Math.abs(expected))) {
                return true;
            }
        }
        return false;
    }

    private OptionalDouble expected(int index) {
        return entries.stream().filter(entry -> entry.objectives.length > index)
            .mapToDouble(entry -> entry.objectives[index]).findFirst();
    }

    /** Of each round: how many times as long as the first contestant. */
    double[] ratios(Entry entry) {
        return ratios(entry, entries.get(0));
    }

    static double[] ratios(Entry entry, Entry base) {
        double[] seconds = entry.seconds();
        double[] ratios = new double[seconds.length];
        Arrays.setAll(ratios, round -> seconds[round] / base.seconds()[round]);
        return ratios;
    }

    TextTable table(List<Column> columns) {
        List<String> header = new ArrayList<>(
            List.of("", "s: min", "median", "max", "ratio: min", "median", "max", "iterations"));
        columns.forEach(column -> header.add(column.header()));
        header.addAll(List.of("precision", "BLAS"));
        TextTable table = new TextTable(header.toArray(String[]::new));
        for (Entry entry : entries) {
            double[] seconds = entry.seconds();
            double[] ratios = ratios(entry);
            List<String> row = new ArrayList<>(List.of(entry.name, number(least(seconds)), number(median(seconds)),
                number(most(seconds)), ratio(least(ratios)), ratio(median(ratios)), ratio(most(ratios)),
                Integer.toString(entry.iterations())));
            columns.forEach(column -> row.add(column.cell().apply(entry)));
            row.add(entry.about.getOrDefault("precision", ""));
            row.add(entry.about.getOrDefault("blas", ""));
            table.row(row.toArray(String[]::new));
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
            json.put("objectives", entry.objectives);
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
