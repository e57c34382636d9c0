package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Rounds.Column;
import com.inaccel.coral.bench.support.Scratch;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the benchmarks of all algorithms share: who takes part, the machine and its limits, and where the figures go. */
abstract class AlgorithmBench implements Callable<Integer> {
    static final int FAILED = 1;

    @Option(names = "--precision", defaultValue = "auto", paramLabel = "auto|double|single",
        description = "Coral's (${DEFAULT-VALUE})")
    private String precision;

    @Option(names = "--repeats", defaultValue = "3", paramLabel = "N", description = "rounds (${DEFAULT-VALUE})")
    int repeats;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "of rows and fits (${DEFAULT-VALUE})")
    long seed;

    @Option(names = "--heap", defaultValue = "4g", paramLabel = "SIZE",
        description = "-Xmx of each contestant on Spark (${DEFAULT-VALUE})")
    private String heap;

    @Option(names = "--warm-up", defaultValue = "30", paramLabel = "SECONDS",
        description = "untimed fits of each contestant on Spark (${DEFAULT-VALUE})")
    private double warmUpSeconds;

    @Option(names = "--json", paramLabel = "FILE", description = "default: out/bench-ALGORITHM[-MODE].json")
    private Optional<Path> json = Optional.empty();

    @Option(names = "--install", description = "install Debian packages of missing peers, as root")
    private boolean install;

    @Option(names = "--shapes", description = "instead: the kernel alone over many shapes, against the machine's limits")
    boolean shapes;

    @Option(names = "--scale", description = "instead: Coral from 100,000 to 4,000,000 rows, up to --max-rows")
    boolean scale;

    @Option(names = "--max-rows", defaultValue = "4000000", paramLabel = "N",
        description = "where --scale ends (${DEFAULT-VALUE})")
    private long maxRows;

    @Spec
    private CommandSpec spec;

    final Map<String, Object> figures = new LinkedHashMap<>();

    /** Refuses options that cannot be, before anything is started. */
    abstract Workload check();

    /** Of the race where it is empty. */
    abstract String mode();

    /** Measures in this algorithm's own modes, the race among them. Returns the exit status. */
    abstract int measure(Contestants contestants) throws IOException, InterruptedException;

    abstract Class<? extends SparkWorker> worker();

    abstract Shapes measureShapes();

    @Override
    public final Integer call() throws IOException, InterruptedException {
        Workload workload = check();
        figures.putAll(Figures.begin(spec));
        String mode = shapes ? "shapes" : scale ? "scale" : mode();
        Path file = json.orElse(Path.of("out", "bench-" + spec.name() + (mode.isEmpty() ? "" : "-" + mode) + ".json"));
        int cores = Runtime.getRuntime().availableProcessors();
        int status;
        try (Scratch scratch = Scratch.create("coral-bench-");
                Contestants contestants = new Contestants(scratch.directory(), precision, heap, cores, warmUpSeconds, install)) {
            if (shapes) {
                status = shapes();
            } else if (scale) {
                status = print(Scaling.run(contestants, worker(), workload, maxRows, repeats, figures));
            } else {
                status = measure(contestants);
            }
        }
        Figures.write(figures, file);
        return status;
    }

    static void requireKnown(List<String> against, List<String> known) {
        List<String> unknown = against.stream().filter(name -> !known.contains(name)).toList();
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("unknown contestants: against=" + String.join(",", unknown)
                + ", known=" + String.join(",", known));
        }
    }

    final void requireOneMode(boolean... others) {
        int modes = (shapes ? 1 : 0) + (scale ? 1 : 0);
        for (boolean other : others) {
            modes += other ? 1 : 0;
        }
        if (modes > 1) {
            throw new IllegalArgumentException("one mode at a time: give one of --shapes, --scale and the like");
        }
    }

    private int shapes() throws IOException {
        Optional<Limits> before = limits();
        Shapes measured = measureShapes();
        figures.put("shapes", measured.json());
        return print(measured.table(again(before)));
    }

    /** Whether there is anyone to measure. */
    static boolean anyone(Contestants contestants) {
        if (contestants.started().isEmpty()) {
            sayWhoIsAbsent(contestants);
        }
        return !contestants.started().isEmpty();
    }

    /** Prints all there is to say of the rounds, and fails where a contestant's result is not that of the first. */
    final int report(String title, Rounds rounds, List<Column> columns, Optional<Limits> limits, Contestants contestants) {
        figures.put("notInstalled", contestants.absent());
        figures.put("contestants", rounds.json());
        System.out.printf("%n%s, seed %d, %d rounds%n%n", title, seed, repeats);
        System.out.println(rounds.table(columns));
        System.out.println("ratio: of its time to that of " + rounds.entries().get(0).name + " in the same round");
        limits.ifPresent(System.out::println);
        rounds.entries().forEach(entry -> System.out.println(entry.name + ": " + entry.about));
        sayWhoIsAbsent(contestants);
        if (rounds.wrong().isEmpty()) {
            return 0;
        }
        System.out.println("WRONG: not as good a model as " + rounds.entries().get(0).name + "'s: " + rounds.wrong());
        return FAILED;
    }

    private static void sayWhoIsAbsent(Contestants contestants) {
        contestants.absent().forEach((name, remedy) -> System.out.println(name + ": not installed: " + remedy));
    }

    /** Measured before and after all else, since machines drift: the better counts. */
    final Optional<Limits> again(Optional<Limits> before) throws IOException {
        if (before.isEmpty()) {
            return before;
        }
        Optional<Limits> limits = limits().map(before.get()::or);
        limits.ifPresent(limit -> figures.put("limits", limit));
        return limits;
    }

    static Optional<Limits> limits() throws IOException {
        System.err.println("measuring the limits of the machine ...");
        return Limits.measure();
    }

    static int print(String table) {
        System.out.println();
        System.out.println(table);
        return 0;
    }
}
