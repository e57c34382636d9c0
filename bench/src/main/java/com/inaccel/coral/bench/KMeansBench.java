package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.inaccel.coral.bench.support.Scratch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The command {@code bench kmeans}: what to measure, and where the figures go. */
@Command(name = "kmeans", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Fit the same rows with every contestant in turn, and compare within each round.")
final class KMeansBench implements Callable<Integer> {
    private static final int FAILED = 1;

    @Option(names = "--rows", defaultValue = "400000", paramLabel = "N", description = "${DEFAULT-VALUE}")
    private long rows;

    @Option(names = "--features", defaultValue = "64", paramLabel = "N", description = "${DEFAULT-VALUE}")
    private int features;

    @Option(names = "--k", defaultValue = "128", paramLabel = "N", description = "clusters (${DEFAULT-VALUE})")
    private int k;

    @Option(names = "--iterations", defaultValue = "20", paramLabel = "N", description = "${DEFAULT-VALUE}, tolerance 0")
    private int iterations;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "of rows and fits (${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--init", defaultValue = "k-means||", paramLabel = "MODE",
        description = "of the contestants on Spark, k-means|| or random (${DEFAULT-VALUE}); the others start at random")
    private String init;

    @Option(names = "--precision", defaultValue = "auto", paramLabel = "auto|double|single",
        description = "Coral's (${DEFAULT-VALUE})")
    private String precision;

    @Option(names = "--against", split = ",", paramLabel = "NAME",
        defaultValue = "coral,coral-socket,mllib,mllib-best,sklearn,faiss,kernel",
        description = "contestants; ratios are to the first (${DEFAULT-VALUE})")
    private List<String> against;

    @Option(names = "--repeats", defaultValue = "3", paramLabel = "N", description = "rounds (${DEFAULT-VALUE})")
    private int repeats;

    @Option(names = "--heap", defaultValue = "4g", paramLabel = "SIZE",
        description = "-Xmx of each contestant on Spark (${DEFAULT-VALUE})")
    private String heap;

    @Option(names = "--json", paramLabel = "FILE", description = "default: out/bench-kmeans[-MODE].json")
    private Optional<Path> json = Optional.empty();

    @Option(names = "--install", description = "install Debian packages of missing peers, as root")
    private boolean install;

    @Option(names = "--shapes", description = "instead: the kernel alone over many shapes, against the machine's limits")
    private boolean shapes;

    @Option(names = "--scale", description = "instead: Coral from 100,000 to 4,000,000 rows, up to --max-rows")
    private boolean scale;

    @Option(names = "--max-rows", defaultValue = "4000000", paramLabel = "N",
        description = "where --scale ends (${DEFAULT-VALUE})")
    private long maxRows;

    @Option(names = "--ship", description = "instead: how fast rows are shipped, from cached vectors and from Parquet")
    private boolean ship;

    @Spec
    private CommandSpec spec;

    private final Map<String, Object> figures = new LinkedHashMap<>();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Workload workload = check();
        figures.put("command", "bench " + String.join(" ", spec.commandLine().getParseResult().originalArgs()));
        Map<String, String> machine = Machine.describe();
        figures.put("machine", machine);
        System.out.println("machine: " + machine);
        String mode = shapes ? "-shapes" : scale ? "-scale" : ship ? "-ship" : "";
        Path file = json.orElse(Path.of("out", "bench-kmeans" + mode + ".json"));
        int status;
        try (Scratch scratch = Scratch.create("coral-bench-");
                Contestants contestants = new Contestants(scratch.directory(), precision, heap, cores(), install)) {
            if (shapes) {
                status = shapes();
            } else if (scale) {
                status = print(Scaling.run(contestants, workload, maxRows, repeats, figures));
            } else if (ship) {
                status = print(Scaling.ship(contestants, workload, repeats, figures));
            } else {
                status = race(contestants, workload);
            }
        }
        write(file);
        return status;
    }

    private Workload check() {
        if (rows < k || features < 1 || k < 1 || iterations < 1 || repeats < 1) {
            throw new IllegalArgumentException("out of range: rows=" + rows + ", features=" + features + ", k=" + k
                + ", iterations=" + iterations + ", repeats=" + repeats + "; all at least 1, and rows at least k");
        }
        List<String> unknown = against.stream().filter(name -> !Contestants.NAMES.contains(name)).toList();
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("unknown contestants: against=" + String.join(",", unknown)
                + ", known=" + String.join(",", Contestants.NAMES));
        }
        if ((shapes ? 1 : 0) + (scale ? 1 : 0) + (ship ? 1 : 0) > 1) {
            throw new IllegalArgumentException("one mode at a time: give one of --shapes, --scale, --ship");
        }
        return new Workload(rows, features, k, iterations, seed, init);
    }

    private int shapes() throws IOException {
        Optional<Limits> before = limits();
        Shapes measured = Shapes.measure(repeats);
        figures.put("shapes", measured.json());
        return print(measured.table(again(before)));
    }

    private int race(Contestants contestants, Workload workload) throws IOException, InterruptedException {
        Optional<Limits> before = limits();
        figures.put("workload", workload);
        for (String name : against) {
            contestants.start(name, workload);
        }
        figures.put("notInstalled", contestants.absent());
        if (contestants.started().isEmpty()) {
            contestants.absent().forEach((name, remedy) -> System.out.println(name + ": not installed: " + remedy));
            return FAILED;
        }
        Rounds rounds = Rounds.run(workload, contestants.started(), repeats);
        figures.put("contestants", rounds.json());
        Optional<Limits> limits = again(before);

        System.out.printf(Locale.ROOT, "%nKMeans, %,d rows x %d features, k=%d, %d iterations, tolerance 0, seed %d, %d "
            + "rounds%n%n", rows, features, k, iterations, seed, repeats);
        System.out.println(rounds.table());
        System.out.println("ratio: of its time to that of " + rounds.entries().get(0).name + " in the same round");
        limits.ifPresent(System.out::println);
        rounds.entries().forEach(entry -> System.out.println(entry.name + ": " + entry.about));
        contestants.absent().forEach((name, remedy) -> System.out.println(name + ": not installed: " + remedy));
        if (!rounds.wrong().isEmpty()) {
            System.out.println("WRONG: cost of the centers not that of " + rounds.entries().get(0).name + "'s: "
                + rounds.wrong());
            return FAILED;
        }
        return 0;
    }

    /** Measured before and after all else, since machines drift: the better counts. */
    private Optional<Limits> again(Optional<Limits> before) throws IOException {
        if (before.isEmpty()) {
            return before;
        }
        Optional<Limits> limits = limits().map(before.get()::or);
        limits.ifPresent(limit -> figures.put("limits", limit));
        return limits;
    }

    private static Optional<Limits> limits() throws IOException {
        System.err.println("measuring the limits of the machine ...");
        return Limits.measure();
    }

    private static int print(String table) {
        System.out.println();
        System.out.println(table);
        return 0;
    }

    private void write(Path file) throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), figures);
        System.out.println("all figures: " + file);
    }

    private static int cores() {
        return Runtime.getRuntime().availableProcessors();
    }
}
