package com.inaccel.coral.demo;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.bench.support.LocalSpark;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.QuietLogs;
import com.inaccel.coral.bench.support.Scratch;
import com.inaccel.coral.demo.functions.FunctionsDemo;
import com.inaccel.coral.ml.CoralConf;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.storage.StorageLevel;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Clusters handwritten digits and learns to tell them apart, with MLlib and with Coral, and shows both side by side. */
@Command(name = "demo", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    subcommands = FunctionsDemo.class,
    description = "Cluster handwritten digits and learn to tell them apart, with MLlib and with Coral, side by side.")
public final class Demo implements Callable<Integer> {
    private static final int WARM_UP_ROWS = 2_000;
    private static final int FAILED = 1;

    @Option(names = "--input", paramLabel = "FILE", description = "Parquet or LIBSVM instead of the digits")
    private Optional<Path> input = Optional.empty();

    @Option(names = "--features-column", paramLabel = "NAME", defaultValue = "",
        description = "the input's column of vectors or arrays, where there are several")
    private String featuresColumn;

    @Option(names = "--label", paramLabel = "NAME", defaultValue = "",
        description = "the input's column of labels, whole numbers from 0; without one Parquet is only clustered")
    private String labelColumn;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "40000",
        description = "digits to use, moved by a pixel or two beyond the first 10,000 (${DEFAULT-VALUE})")
    private int rows;

    @Option(names = "--k", paramLabel = "N", defaultValue = "10", description = "clusters (${DEFAULT-VALUE})")
    private int k;

    @Option(names = "--max-iter", paramLabel = "N", defaultValue = "20", description = "of each fit, at most (${DEFAULT-VALUE})")
    private int maxIterations;

    @Option(names = "--reg-param", paramLabel = "X", defaultValue = "0.001",
        description = "L2 penalty of the coefficients (${DEFAULT-VALUE})")
    private double regParam;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "of the clusterings (${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--address", paramLabel = "ADDRESS", defaultValue = "",
        description = "a running Coral, unix:PATH or embedded:, instead of a node manager started for the demo")
    private String address;

    @Option(names = "--emulate", paramLabel = "VENDOR/PLATFORM:COUNT", defaultValue = "",
        description = "FPGAs that the node manager emulates, e.g. xilinx/u250:2, instead of the devices found here")
    private String emulate;

    @Option(names = "--out", paramLabel = "DIR", defaultValue = "out",
        description = "where centers and coefficients are drawn (${DEFAULT-VALUE}/)")
    private Path out;

    public static void main(String[] arguments) {
        QuietLogs.install();
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Demo()).setExecutionExceptionHandler((failure, command, parsed) -> {
            if (!(failure instanceof CoralException || failure instanceof IllegalArgumentException)) {
                throw failure;
            }
            // The message names value, limit and fix: where it was thrown helps nobody.
            command.getErr().println("coral demo: " + failure.getMessage());
            return FAILED;
        });
    }

    @Override
    public Integer call() throws Exception {
        checkOptions();
        try (Scratch scratch = Scratch.create("coral-demo-")) {
            if (!address.isEmpty()) {
                return run(scratch.directory(), address);
            }
            System.err.println("starting a node manager" + (emulate.isEmpty() ? "" : " that emulates " + emulate)
                + " ...");
            try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("node"),
                    emulate.isEmpty() ? List.of() : List.of("--emulate", emulate))) {
                return run(scratch.directory(), manager.address());
            }
        }
    }

    private void checkOptions() {
        if (!address.isEmpty() && !emulate.isEmpty()) {
            throw new IllegalArgumentException(
                "two ways to choose devices: address=" + address + ", emulate=" + emulate + "; give one of them");
        }
        if (!(regParam >= 0)) {
            throw new IllegalArgumentException("negative penalty: regParam=" + regParam + ", least=0");
        }
        if (input.isEmpty() && (rows < k || rows > DemoData.mostDigits())) {
            throw new IllegalArgumentException("number of digits out of range: rows=" + rows + ", least=" + k
                + " (k), most=" + DemoData.mostDigits());
        }
    }

    private int run(Path scratch, String coralAddress) throws IOException {
        int cores = Runtime.getRuntime().availableProcessors();
        System.err.println("starting Spark with " + cores + " cores ...");
        SparkSession spark = LocalSpark.start("coral-demo", cores, scratch,
            Map.of(CoralConf.Key.ADDRESS.key(), coralAddress));
        try {
            return compare(spark, cores);
        } finally {
            spark.stop();
        }
    }

    private int compare(SparkSession spark, int cores) throws IOException {
        Comparison comparison = new Comparison();
        List<String> notes = new ArrayList<>(); // what is written beneath the table
        DemoData data = input.isPresent()
            ? DemoData.file(spark, input.get(), featuresColumn, labelColumn)
            : DemoData.digits(spark, rows, cores);
        Optional<String> obstacle = cluster(data, comparison, notes);
        if (obstacle.isEmpty()) {
            classify(data, comparison, notes);
        }
        System.out.printf("%n%s: %d cores, data cached, each fit after one untimed fit of up to %,d rows%n%n",
            data.description(), cores, WARM_UP_ROWS);
        System.out.println(comparison);
        notes.forEach(System.out::println);
        obstacle.ifPresent(why -> System.out.println("No LogisticRegression: " + why));
        return 0;
    }

    /** Returns what keeps these data from being classified too, if anything. */
    private Optional<String> cluster(DemoData data, Comparison comparison, List<String> notes) throws IOException {
        List<String> columns = new ArrayList<>(List.of(data.featuresColumn()));
        data.labelColumn().ifPresent(columns::add);
        Dataset<Row> table = cached(data.table().select(columns.stream().map(data.table()::col).toArray(Column[]::new)));
        Dataset<Row> warmUp = cached(table.limit(WARM_UP_ROWS));
        try {
            Clustering clustering = Clustering.of(table, warmUp, data.featuresColumn(), k, maxIterations, seed);
            clustering.addTo(comparison);
            notes.add(String.format("KMeans: k=%d, at most %d iterations, seed %d, %,d rows.", k, maxIterations, seed,
                table.count()));
            notes.add(clustering.writeCenters(out));
            return data.labelColumn().isPresent() ? Classification.obstacle(table, data.labelColumn().get())
                : Optional.of("no labels; name their column with --label");
        } finally {
            warmUp.unpersist(true);
            table.unpersist(true);
        }
    }

    private void classify(DemoData data, Comparison comparison, List<String> notes) throws IOException {
        Column heldOut = functions.col(DemoData.HELD_OUT);
        Dataset<Row> table = data.withVectors().table();
        Dataset<Row> training = cached(table.filter(functions.not(heldOut)).drop(heldOut));
        Dataset<Row> asked = cached(table.filter(heldOut).drop(heldOut));
        Dataset<Row> warmUp = cached(training.limit(WARM_UP_ROWS));
        try {
            Classification classification = Classification.of(training, asked, warmUp, new Classification.Settings(
                data.featuresColumn(), data.labelColumn().orElseThrow(), regParam, maxIterations));
            classification.addTo(comparison);
            notes.add(String.format("LogisticRegression: at most %d iterations, regParam %s on standardized features, %,d "
                + "rows; %,d others held out%s.", maxIterations, regParam, training.count(), asked.count(),
                input.isPresent() ? "" : ", all copies of the same digits"));
            notes.add(classification.writeCoefficients(out));
        } finally {
            warmUp.unpersist(true);
            asked.unpersist(true);
            training.unpersist(true);
        }
    }

    private static Dataset<Row> cached(Dataset<Row> rows) {
        Dataset<Row> cached = rows.persist(StorageLevel.MEMORY_AND_DISK());
        cached.count();
        return cached;
    }
}
