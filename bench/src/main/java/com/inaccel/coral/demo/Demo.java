package com.inaccel.coral.demo;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.bench.support.LocalSpark;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.QuietLogs;
import com.inaccel.coral.bench.support.Scratch;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.FitReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.ml.clustering.KMeans;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Clusters handwritten digits twice, with MLlib and with Coral, and shows both side by side. */
@Command(name = "demo", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Cluster handwritten digits with MLlib's KMeans and with Coral's, side by side.")
public final class Demo implements Callable<Integer> {
    private static final int WARM_UP_ROWS = 2_000;
    private static final int WARM_UP_ITERATIONS = 2;
    private static final int FAILED = 1;

    @Option(names = "--input", paramLabel = "FILE", description = "Parquet or LIBSVM instead of the digits")
    private Optional<Path> input = Optional.empty();

    @Option(names = "--features-column", paramLabel = "NAME", defaultValue = "",
        description = "the input's column of vectors or arrays, where there are several")
    private String featuresColumn;

    @Option(names = "--rows", paramLabel = "N", defaultValue = "60000",
        description = "digits to cluster, moved by a pixel or two beyond the first 10,000 (${DEFAULT-VALUE})")
    private int rows;

    @Option(names = "--k", paramLabel = "N", defaultValue = "10", description = "clusters (${DEFAULT-VALUE})")
    private int k;

    @Option(names = "--max-iter", paramLabel = "N", defaultValue = "20", description = "iterations (${DEFAULT-VALUE})")
    private int maxIterations;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "1", description = "of both fits (${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--address", paramLabel = "ADDRESS", defaultValue = "",
        description = "a running Coral, unix:PATH or embedded:, instead of a node manager started for the demo")
    private String address;

    @Option(names = "--emulate", paramLabel = "VENDOR/PLATFORM:COUNT", defaultValue = "",
        description = "FPGAs that the node manager emulates, e.g. xilinx/u250:2, instead of the devices found here")
    private String emulate;

    @Option(names = "--out", paramLabel = "DIR", defaultValue = "out",
        description = "where the centers are drawn (${DEFAULT-VALUE}/)")
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
            try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("node"), emulate)) {
                return run(scratch.directory(), manager.address());
            }
        }
    }

    private void checkOptions() {
        if (!address.isEmpty() && !emulate.isEmpty()) {
            throw new IllegalArgumentException(
                "two ways to choose devices: address=" + address + ", emulate=" + emulate + "; give one of them");
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
        DemoData data = input.isPresent()
            ? DemoData.file(spark, input.get(), featuresColumn) : DemoData.digits(spark, rows, cores);
        Dataset<Row> table = data.table().select(data.featuresColumn()).persist(StorageLevel.MEMORY_AND_DISK());
        Dataset<Row> sample = table.limit(WARM_UP_ROWS).cache();
        long count = table.count();
        sample.count();

        KMeans mllib = new KMeans();
        com.inaccel.coral.ml.clustering.KMeans coral = new com.inaccel.coral.ml.clustering.KMeans();
        for (KMeans estimator : new KMeans[] {mllib, coral}) {
            estimator.setK(k).setSeed(seed).setFeaturesCol(data.featuresColumn())
                .setMaxIter(WARM_UP_ITERATIONS).fit(sample);
            estimator.setMaxIter(maxIterations);
        }

        Fit ofMllib = Fit.time("MLlib", mllib, table);
        Fit ofCoral = Fit.time("Coral", coral, table);
        FitReport report = coral.lastFit().orElseThrow();

        System.out.printf("%nKMeans, k=%d, at most %d iterations, seed %d, on %s: %,d rows, cached, %d cores%n%n", k,
            maxIterations, seed, data.description(), count, cores);
        System.out.println(Comparison.of(ofMllib, ofCoral, report));
        System.out.printf("Each after one untimed fit of %,d rows. Difference: of centers with the same number.%n",
            sample.count());
        System.out.println(ofCoral.writeCenters(out));
        return 0;
    }
}
