package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Rounds.Column;
import com.inaccel.coral.bench.Rounds.Judge;
import com.inaccel.coral.bench.Shapes.Shape;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command {@code bench kmeans}. */
@Command(name = "kmeans", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Cluster the same rows with every contestant in turn, and compare within each round.")
final class KMeansBench extends AlgorithmBench {
    private static final String MLLIB_BEST = "mllib-best";
    private static final String FAISS = "faiss";
    static final List<String> NAMES = List.of(Contestants.CORAL, Contestants.CORAL_SOCKET, Contestants.MLLIB, MLLIB_BEST,
        Contestants.SKLEARN, FAISS, Contestants.KERNEL);

    /** Against the first contestant: they may start from other centers, and so end in another local optimum. */
    private static final double COST_TOLERANCE = 0.05;
    private static final long CHECKED_ROWS = 100_000;

    private static final int[][] FEATURES_BY_K =
        {{64, 128}, {784, 10}, {20, 10}, {16, 16}, {3, 16}, {64, 1000}, {784, 1000}};
    /** Of one pass over a shape: long against the cost of a request, yet soon over. */
    private static final double MOST_FLOPS = 4e10;
    /** Of all rows of a shape: beyond any cache. */
    private static final long MOST_BYTES = 512L << 20;

    @Option(names = "--rows", defaultValue = "400000", paramLabel = "N", description = "${DEFAULT-VALUE}")
    private long rows;

    @Option(names = "--features", defaultValue = "64", paramLabel = "N", description = "${DEFAULT-VALUE}")
    private int features;

    @Option(names = "--k", defaultValue = "128", paramLabel = "N", description = "clusters (${DEFAULT-VALUE})")
    private int k;

    @Option(names = "--iterations", defaultValue = "20", paramLabel = "N", description = "${DEFAULT-VALUE}, tolerance 0")
    private int iterations;

    @Option(names = "--init", defaultValue = "k-means||", paramLabel = "MODE",
        description = "of the contestants on Spark, k-means|| or random (${DEFAULT-VALUE}); the others start at random")
    private String init;

    @Option(names = "--against", split = ",", paramLabel = "NAME",
        defaultValue = "coral,coral-socket,mllib,mllib-best,sklearn,faiss,kernel",
        description = "contestants; ratios are to the first (${DEFAULT-VALUE})")
    private List<String> against;

    @Option(names = "--ship", description = "instead: how fast rows are shipped, from cached vectors and from Parquet")
    private boolean ship;

    private KMeansWorkload workload;
    private Path data;

    @Override
    Workload check() {
        if (rows < k || features < 1 || k < 1 || iterations < 1 || repeats < 1) {
            throw new IllegalArgumentException("out of range: rows=" + rows + ", features=" + features + ", k=" + k
                + ", iterations=" + iterations + ", repeats=" + repeats + "; all at least 1, and rows at least k");
        }
        requireKnown(against, NAMES);
        requireOneMode(ship);
        workload = new KMeansWorkload(rows, features, k, iterations, seed, init);
        return workload;
    }

    @Override
    String mode() {
        return ship ? "ship" : "";
    }

    @Override
    Class<? extends SparkWorker> worker() {
        return KMeansWorker.class;
    }

    @Override
    int measure(Contestants contestants) throws IOException, InterruptedException {
        if (ship) {
            return print(Scaling.ship(contestants, worker(), workload, repeats, figures));
        }
        Optional<Limits> before = limits();
        figures.put("workload", workload);
        for (String name : against) {
            start(name, contestants);
        }
        if (!anyone(contestants)) {
            return FAILED;
        }
        Judge judge = new Judge((model, index) -> workload.meanCost(model, CHECKED_ROWS), COST_TOLERANCE);
        Rounds rounds = Rounds.run(judge, contestants.started(), new Order(iterations, 1), repeats);
        List<Column> columns = List.of(
            new Column("cost a row", entry -> String.format(Locale.ROOT, "%.5f", entry.objectives[0])),
            new Column("GFLOP/s", entry -> String.format(Locale.ROOT, "%.1f",
                workload.flops(entry.iterations()) / Rounds.median(entry.seconds()) / 1e9)));
        return report(String.format(Locale.ROOT, "KMeans, %,d rows x %d features, k=%d, %d iterations, tolerance 0", rows,
            features, k, iterations), rounds, columns, again(before), contestants);
    }

    /** One contestant, or one a precision. */
    private void start(String name, Contestants contestants) throws IOException, InterruptedException {
        switch (name) {
            case Contestants.CORAL -> contestants.startCoral(worker(), workload);
            case Contestants.CORAL_SOCKET -> contestants.startCoralSocket(worker(), workload);
            case Contestants.MLLIB -> contestants.startMllib(worker(), workload);
            case MLLIB_BEST -> contestants.startMllibWithBlas(name, worker(), workload, "block");
            case Contestants.SKLEARN -> {
                if (contestants.isThere(name, "python3-sklearn")) {
                    contestants.python("sklearn-single", settings(contestants, "sklearn-kmeans", "float32"));
                    contestants.python("sklearn-double", settings(contestants, "sklearn-kmeans", "float64"));
                }
            }
            case FAISS -> {
                if (contestants.isThere(name, "python3-faiss")) {
                    contestants.python(name, settings(contestants, "faiss-kmeans", "float32"));
                }
            }
            case Contestants.KERNEL -> {
                Contestants.announce(name);
                contestants.add(KernelLloyd.start(workload, false));
                contestants.add(KernelLloyd.start(workload, true));
            }
            default -> throw new IllegalArgumentException("unknown contestant: against=" + name);
        }
    }

    private Map<String, Object> settings(Contestants contestants, String task, String dtype) throws IOException {
        if (data == null) {
            data = contestants.scratch().resolve("rows.f64");
            workload.write(data);
        }
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("task", task);
        settings.put("dtype", dtype);
        settings.put("data", data.toString());
        settings.put("rows", rows);
        settings.put("features", features);
        settings.put("k", k);
        settings.put("seed", seed);
        return settings;
    }

    @Override
    Shapes measureShapes() {
        Shapes measured = new Shapes(
            "Double rows may pass their peak: what is proven in single need not be computed in double.");
        for (int[] shape : FEATURES_BY_K) {
            for (boolean inDouble : new boolean[] {false, true}) {
                measure(measured, shape[0], shape[1], inDouble);
            }
        }
        return measured;
    }

    private void measure(Shapes measured, int shapeFeatures, int shapeK, boolean inDouble) {
        double rowBytes = (double) shapeFeatures * (inDouble ? Double.BYTES : Float.BYTES);
        long shapeRows = (long) Math.min(MOST_BYTES / rowBytes, MOST_FLOPS / (2.0 * shapeFeatures * shapeK));
        KMeansWorkload shape = new KMeansWorkload(shapeRows, shapeFeatures, shapeK, 1, seed, "random");
        try (KernelLloyd kernel = KernelLloyd.start(shape, inDouble)) {
            measured.measure(new Shape(shapeFeatures + " x " + shapeK, inDouble, inDouble, shapeRows, 1,
                shape.flops(1), shapeRows * rowBytes), kernel, repeats);
        }
    }
}
