package com.inaccel.coral.bench;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Rounds.Column;
import com.inaccel.coral.bench.Rounds.Entrant;
import com.inaccel.coral.bench.Rounds.Entry;
import com.inaccel.coral.bench.Rounds.Judge;
import com.inaccel.coral.bench.Shapes.Shape;
import com.inaccel.coral.bench.support.TextTable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The command {@code bench logreg}. */
@Command(name = "logreg", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Fit a logistic regression to the same rows with every contestant in turn, and compare within each round.",
    footer = {"", "All minimize mean loss + reg / 2 x the squares of the coefficients of standardized features. scikit-learn "
        + "minimizes summed loss + squares / (2 C): so C = 1 / (reg x rows), and it standardizes its rows, as MLlib and Coral "
        + "do inside theirs, within the timed fit. Its L-BFGS ends at a gradient of --tol at most or an improvement by 2e-9; "
        + "theirs, at an improvement or a gradient by --tol of the objective: so compare at equal objectives."})
final class LogisticBench extends AlgorithmBench {
    private static final String MLLIB_BLAS = "mllib-blas";
    static final List<String> NAMES = List.of(Contestants.CORAL, Contestants.CORAL_SOCKET, Contestants.MLLIB, MLLIB_BLAS,
        Contestants.SKLEARN, Contestants.KERNEL);

    private static final double OBJECTIVE_TOLERANCE = 1e-4;
    /** Of an objective that counts as equal to another: what differs in the last digits. */
    private static final double SAME = 1e-9;

    /** Of each shape: features, classes, non-zeros a row or 0, models at once, rows. */
    private static final int[][] SHAPES = {{64, 2, 0, 1, 2_000_000}, {64, 2, 0, 10, 1_000_000}, {20, 2, 0, 1, 2_000_000},
        {3, 2, 0, 1, 4_000_000}, {784, 2, 0, 1, 60_000}, {784, 10, 0, 1, 60_000}, {64, 10, 0, 1, 500_000},
        {100_000, 2, 40, 1, 500_000}, {100_000, 10, 40, 1, 200_000}};

    @Option(names = "--multinomial", description = "defaults of 60,000 rows x 784 features, 10 classes")
    private boolean multinomial;

    @Option(names = "--sparse", description = "rows with --non-zeros values; defaults of 500,000 rows x 100,000 features")
    private boolean sparse;

    @Option(names = "--rows", paramLabel = "N", description = "default: 400,000")
    private Optional<Long> rows = Optional.empty();

    @Option(names = "--features", paramLabel = "N", description = "default: 64")
    private Optional<Integer> features = Optional.empty();

    @Option(names = "--classes", paramLabel = "N", description = "default: 2")
    private Optional<Integer> classes = Optional.empty();

    @Option(names = "--non-zeros", defaultValue = "40", paramLabel = "N",
        description = "of a row, with --sparse (${DEFAULT-VALUE})")
    private int nonZeros;

    @Option(names = "--iterations", defaultValue = "50", paramLabel = "N", description = "at most (${DEFAULT-VALUE})")
    private int iterations;

    @Option(names = "--tol", defaultValue = "1e-6", paramLabel = "X", description = "${DEFAULT-VALUE}")
    private double tolerance;

    @Option(names = "--reg", defaultValue = "0.001", paramLabel = "X",
        description = "L2 penalty, MLlib's regParam (${DEFAULT-VALUE})")
    private double regParam;

    @Option(names = "--condition", defaultValue = "4", paramLabel = "X",
        description = "how far dense features go together: more means more iterations (${DEFAULT-VALUE})")
    private double condition;

    @Option(names = "--against", split = ",", paramLabel = "NAME",
        defaultValue = "coral,coral-socket,mllib,mllib-blas,sklearn,kernel",
        description = "contestants; ratios are to the first (${DEFAULT-VALUE})")
    private List<String> against;

    @Option(names = "--grid", paramLabel = "N",
        description = "instead: one fit over N parameter maps, of other penalties, against a fit of one map")
    private Optional<Integer> grid = Optional.empty();

    private LogisticWorkload workload;
    private LogisticData data;

    @Override
    Workload check() {
        long rowCount = rows.orElse(sparse ? 500_000L : multinomial ? 60_000 : 400_000);
        int featureCount = features.orElse(sparse ? 100_000 : multinomial ? 784 : 64);
        int classCount = classes.orElse(multinomial ? 10 : 2);
        int maps = grid.orElse(1);
        if (rowCount < 2 || featureCount < 1 || classCount < 2 || iterations < 1 || repeats < 1 || maps < 1
                || !(tolerance >= 0) || !(regParam >= 0) || !(condition >= 0)) {
            throw new IllegalArgumentException("out of range: rows=" + rowCount + ", features=" + featureCount
                + ", classes=" + classCount + ", iterations=" + iterations + ", repeats=" + repeats + ", grid=" + maps
                + ", tol=" + tolerance + ", reg=" + regParam + ", condition=" + condition
                + "; at least 2 rows and classes, 1 of the others, and no negative tol, reg or condition");
        }
        if (sparse && (nonZeros < 1 || nonZeros > featureCount)) {
            throw new IllegalArgumentException("out of range: nonZeros=" + nonZeros + ", least=1, most=" + featureCount
                + " (features)");
        }
        requireKnown(against, NAMES);
        requireOneMode(grid.isPresent());
        // The first map is that of the fit with one; each next one asks for half as much.
        List<Double> regParams = IntStream.range(0, maps).mapToObj(map -> Math.scalb(regParam, -map)).toList();
        workload = new LogisticWorkload(rowCount, featureCount, classCount, sparse ? nonZeros : 0, iterations, tolerance,
            regParams, condition, seed);
        return workload;
    }

    @Override
    String mode() {
        return grid.isPresent() ? "grid" : sparse ? "sparse" : multinomial ? "multinomial" : "";
    }

    @Override
    Class<? extends SparkWorker> worker() {
        return LogisticWorker.class;
    }

    @Override
    int measure(Contestants contestants) throws IOException, InterruptedException {
        Optional<Limits> before = limits();
        figures.put("workload", workload);
        System.err.println("writing the rows ...");
        data = LogisticData.write(workload, contestants.scratch().resolve("rows"));
        for (String name : against) {
            start(name, contestants);
        }
        if (!anyone(contestants)) {
            return FAILED;
        }
        Judge judge = new Judge((model, index) -> data.objective(model, workload.regParams().get(index)),
            OBJECTIVE_TOLERANCE);
        return grid.isPresent() ? grid(contestants, judge, before) : race(contestants, judge, before);
    }

    private int race(Contestants contestants, Judge judge, Optional<Limits> before) throws IOException {
        List<Contestant> started = contestants.started();
        Rounds rounds = Rounds.run(judge, started, new Order(iterations, 1), repeats);
        Optional<Rounds> equal = rounds.wrong().isEmpty() ? toEqualObjective(rounds, started, judge) : Optional.empty();
        int status = report(title(), rounds, columns(), again(before), contestants);
        equal.ifPresent(measured -> {
            System.out.printf(Locale.ROOT, "%nTo the same objective, %.9f, by the fewest iterations that reach it:%n%n",
                target(rounds));
            System.out.println(measured.table(columns()));
            figures.put("toEqualObjective", measured.json());
        });
        return status;
    }

    private String title() {
        return String.format(Locale.ROOT, "LogisticRegression, %,d rows x %,d features%s, %d classes, at most %d iterations, "
            + "tolerance %s, reg %s", workload.rows(), workload.features(),
            sparse ? " with " + nonZeros + " non-zeros a row" : "", workload.classes(), iterations, tolerance, regParam);
    }

    private List<Column> columns() {
        List<Column> columns = new ArrayList<>(List.of(
            new Column("evaluations", entry -> whole(entry.detail("evaluations"))),
            new Column("ms an iteration", entry -> String.format(Locale.ROOT, "%.2f",
                Rounds.median(entry.seconds()) / Math.max(1, entry.iterations()) * 1e3)),
            new Column("objective", entry -> entry.objectives.length == 0 ? ""
                : String.format(Locale.ROOT, "%.9f", entry.objectives[0])),
            new Column("Spark jobs", entry -> whole(entry.detail("sparkJobs")))));
        if (against.contains(Contestants.KERNEL)) {
            columns.add(new Column("GB/s read", entry -> {
                double rate = entry.detail("gigabytesPerSecond");
                return Double.isNaN(rate) ? "" : String.format(Locale.ROOT, "%.1f", rate);
            }));
        }
        return columns;
    }

    private static String whole(double count) {
        return Double.isNaN(count) ? "" : String.format(Locale.ROOT, "%.0f", count);
    }

    /** What everybody reached. */
    private static double target(Rounds rounds) {
        return rounds.entries().stream().filter(entry -> entry.objectives.length > 0)
            .mapToDouble(entry -> entry.objectives[0]).max().orElseThrow();
    }

    /** The race once more, each contestant with the fewest iterations by which it is as good as the worst. */
    private Optional<Rounds> toEqualObjective(Rounds rounds, List<Contestant> started, Judge judge) {
        List<Entrant> entrants = new ArrayList<>();
        for (int index = 0; index < started.size(); index++) {
            Entry entry = rounds.entries().get(index);
            if (entry.objectives.length > 0) {
                System.err.println("looking for the fewest iterations of " + entry.name + " ...");
                int fewest = fewest(started.get(index), entry.iterations(), target(rounds), judge);
                entrants.add(new Entrant(entry.name, started.get(index), new Order(fewest, 1)));
            }
        }
        return entrants.size() < 2 ? Optional.empty() : Optional.of(Rounds.run(judge, entrants, repeats));
    }

    /** By halving: with more iterations the objective only falls. */
    private int fewest(Contestant contestant, int enough, double target, Judge judge) {
        int tooFew = 0;
        int fewest = Math.max(1, enough);
        while (fewest - tooFew > 1) {
            int middle = (tooFew + fewest) / 2;
            double reached = judge.objective().of(contestant.fit(new Order(middle, 1)).models()[0], 0);
            if (reached <= target * (1 + SAME)) {
                fewest = middle;
            } else {
                tooFew = middle;
            }
        }
        return fewest;
    }

    private int grid(Contestants contestants, Judge judge, Optional<Limits> before) throws IOException {
        int maps = workload.regParams().size();
        List<Entrant> entrants = new ArrayList<>();
        for (Contestant contestant : contestants.started()) {
            entrants.add(new Entrant(contestant.name() + ", 1 map", contestant, new Order(iterations, 1)));
            entrants.add(new Entrant(contestant.name() + ", " + maps + " maps", contestant, new Order(iterations, maps)));
        }
        Rounds rounds = Rounds.run(judge, entrants, repeats);
        int status = report(title() + " and " + (maps - 1) + " times half of the one before", rounds, columns(),
            again(before), contestants);
        TextTable table = new TextTable(maps + " maps against 1, times", "min", "median", "max");
        for (int index = 0; index < entrants.size(); index += 2) {
            double[] ratios = Rounds.ratios(rounds.entries().get(index + 1), rounds.entries().get(index));
            table.row(entrants.get(index).contestant().name(), ratio(Rounds.least(ratios)),
                ratio(Rounds.median(ratios)), ratio(Rounds.most(ratios)));
        }
        print(table.toString());
        return status;
    }

    private static String ratio(double ratio) {
        return String.format(Locale.ROOT, "%.2f", ratio);
    }

    private void start(String name, Contestants contestants) throws IOException, InterruptedException {
        switch (name) {
            case Contestants.CORAL -> contestants.startCoral(worker(), workload);
            case Contestants.CORAL_SOCKET -> contestants.startCoralSocket(worker(), workload);
            case Contestants.MLLIB -> contestants.startMllib(worker(), workload);
            case MLLIB_BLAS -> contestants.startMllibWithBlas(name, worker(), workload, "");
            case Contestants.SKLEARN -> {
                if (contestants.isThere(name, "python3-sklearn")) {
                    contestants.python(name, settings());
                }
            }
            case Contestants.KERNEL -> {
                Contestants.announce(name);
                contestants.add(KernelGradient.start(workload, false));
                contestants.add(KernelGradient.start(workload, true));
            }
            default -> throw new IllegalArgumentException("unknown contestant: against=" + name);
        }
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("task", "sklearn-logreg");
        settings.put("dtype", "float64");
        settings.put("data", data.directory().toString());
        settings.put("rows", workload.rows());
        settings.put("features", workload.features());
        settings.put("nonZeros", workload.nonZeros());
        settings.put("tolerance", tolerance);
        settings.put("regParams", workload.regParams());
        return settings;
    }

    @Override
    Shapes measureShapes() {
        Shapes measured = new Shapes("");
        for (int[] shape : SHAPES) {
            LogisticWorkload rowsOfIt = new LogisticWorkload(shape[4], shape[0], shape[1], shape[2], 1, 0, List.of(0.0),
                condition, seed);
            String name = shape[0] + (shape[2] == 0 ? "" : " sparse, " + shape[2] + " a row")
                + (shape[1] == 2 ? "" : ", " + shape[1] + " classes") + (shape[3] == 1 ? "" : ", " + shape[3] + " models");
            for (boolean inDouble : new boolean[] {false, true}) {
                try (KernelGradient kernel = KernelGradient.start(rowsOfIt, inDouble)) {
                    measured.measure(new Shape(name, inDouble, true, shape[4], shape[3],
                        rowsOfIt.flops() * shape[3], rowsOfIt.bytes(inDouble ? Double.BYTES : Float.BYTES)), kernel, repeats);
                }
            }
        }
        return measured;
    }
}
