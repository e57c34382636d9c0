package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.bench.support.LocalSpark;
import com.inaccel.coral.bench.support.QuietLogs;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.FitReport;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.ml.clustering.KMeans;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.functions;
import org.apache.spark.ml.linalg.BLAS$;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The far side of {@link Worker} for contestants on Spark: one session, one table, one estimator. */
final class SparkWorker {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FEATURES = "features";
    private static final int WARM_UP_ITERATIONS = 2;
    /** Untimed fits go on until so much time has passed: what is compared is code that the JVM has compiled. */
    private static final long WARM_UP_NANOS = 10_000_000_000L;
    private static final Pattern BLAS_LIBRARY = Pattern.compile("^lib(openblas|blas|blis|mkl|atlas)");

    /** Where the rows lie when a fit begins. */
    enum Source { CACHED_VECTORS, PARQUET_FLOATS }

    /**
     * What to be, as JSON in a file.
     *
     * @param address of Coral; empty for MLlib's own estimator
     * @param solver MLlib's parameter
     * @param scratch where Spark and the centers go
     */
    record Settings(Workload workload, String address, String precision, String solver, Source source, int cores,
            String scratch) {
        boolean coral() {
            return !address.isEmpty();
        }
    }

    private final Settings settings;
    private final SparkSession spark;
    private final KMeans estimator;
    private Dataset<Row> table;

    private SparkWorker(Settings settings, SparkSession spark) {
        this.settings = settings;
        this.spark = spark;
        Workload workload = settings.workload();
        estimator = settings.coral() ? new com.inaccel.coral.ml.clustering.KMeans() : new KMeans();
        estimator.setK(workload.k()).setSeed(workload.seed()).setTol(0).setInitMode(workload.init())
            .setSolver(settings.solver()).setFeaturesCol(FEATURES);
    }

    public static void main(String[] arguments) throws IOException {
        // Standard output is the answers' alone.
        PrintStream answers = System.out;
        System.setOut(System.err);
        QuietLogs.install();
        Settings settings = JSON.readValue(Path.of(arguments[0]).toFile(), Settings.class);
        Path scratch = Path.of(settings.scratch());
        Map<String, String> conf = settings.coral()
            ? Map.of(CoralConf.Key.ADDRESS.key(), settings.address(), CoralConf.Key.PRECISION.key(), settings.precision())
            : Map.of();
        SparkSession spark = LocalSpark.start("coral-bench", settings.cores(), scratch, conf);
        try (BufferedReader commands = new BufferedReader(
                new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            SparkWorker worker = new SparkWorker(settings, spark);
            worker.load();
            long start = System.nanoTime();
            do {
                worker.estimator.setMaxIter(WARM_UP_ITERATIONS).fit(worker.table);
            } while (System.nanoTime() - start < WARM_UP_NANOS);
            worker.estimator.setMaxIter(settings.workload().iterations());
            answer(answers, Map.of("about", worker.about()));
            while (commands.readLine() != null) {
                answer(answers, worker.fit());
            }
        } finally {
            spark.stop();
        }
    }

    private static void answer(PrintStream answers, Object answer) throws IOException {
        answers.println(JSON.writeValueAsString(answer));
        answers.flush();
    }

    private void load() {
        Workload workload = settings.workload();
        StructType schema = new StructType(new StructField[] {
            new StructField(FEATURES, SQLDataTypes.VectorType(), false, Metadata.empty())});
        Dataset<Row> generated = spark.range(0, workload.rows(), 1, settings.cores())
            .mapPartitions((MapPartitionsFunction<Long, Row>) indexes -> {
                Workload.Generator generator = workload.generator();
                Iterable<Long> once = () -> indexes;
                return StreamSupport.stream(once.spliterator(), false).map(index -> {
                    double[] row = new double[workload.features()];
                    generator.fill(index, row);
                    return RowFactory.create(Vectors.dense(row));
                }).iterator();
            }, Encoders.row(schema));
        if (settings.source() == Source.PARQUET_FLOATS) {
            String file = Path.of(settings.scratch(), "rows.parquet").toUri().toString();
            generated.select(functions.vector_to_array(generated.col(FEATURES), "float32").as(FEATURES))
                .write().parquet(file);
            table = spark.read().parquet(file);
        } else {
            table = generated.cache();
        }
        table.count();
    }

    private Map<String, String> about() throws IOException {
        Map<String, String> about = new LinkedHashMap<>();
        about.put("estimator", estimator.getClass().getName());
        about.put("solver", settings.coral() ? "Coral's" : settings.solver());
        about.put("init", settings.workload().init());
        about.put("cores", Integer.toString(settings.cores()));
        about.put("maxHeap", (Runtime.getRuntime().maxMemory() >> 20) + " MiB");
        about.put("spark", spark.version());
        about.put("java", System.getProperty("java.version"));
        about.put("blas", blas());
        if (settings.coral()) {
            FitReport report = report();
            about.put("address", report.address());
            about.put("devices", String.join(", ", report.devices()));
            about.put("precision", report.precision().name().toLowerCase(Locale.ROOT));
        } else {
            about.put("precision", "double");
        }
        return about;
    }

    /** The instance that MLlib's matrix products go to, and, where it is native, the library the system mapped for it. */
    private static String blas() throws IOException {
        String instance = BLAS$.MODULE$.nativeBLAS().getClass().getSimpleName();
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            String libraries = maps.map(line -> line.substring(line.lastIndexOf('/') + 1))
                .filter(file -> BLAS_LIBRARY.matcher(file).find()).distinct().collect(Collectors.joining(", "));
            return libraries.isEmpty() ? instance : instance + " (" + libraries + ")";
        }
    }

    private FitReport report() {
        return ((com.inaccel.coral.ml.clustering.KMeans) estimator).lastFit().orElseThrow();
    }

    private Map<String, Object> fit() throws IOException {
        long start = System.nanoTime();
        KMeansModel model = estimator.fit(table);
        double seconds = (System.nanoTime() - start) / 1e9;

        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reportedCost", model.summary().trainingCost());
        if (settings.coral()) {
            FitReport report = report();
            details.put("bytesShipped", report.bytesShipped());
            details.put("sparkJobs", report.sparkJobs());
            details.put("shipSeconds", report.shipNanos() / 1e9);
            details.put("shipTaskSeconds", report.shipTaskNanos() / 1e9);
            details.put("initSeconds", report.initNanos() / 1e9);
            details.put("iterateSeconds", report.iterateNanos() / 1e9);
            details.put("deviceSeconds", report.runNanos() / 1e9);
            details.put("queueSeconds", report.queueNanos() / 1e9);
        }
        // What the fit leaves behind counts, not the garbage it made on the way.
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        details.put("heapBytes", runtime.totalMemory() - runtime.freeMemory());
        return Map.of("seconds", seconds, "iterations", model.summary().numIter(),
            "centers", write(model.clusterCenters()).toString(), "details", details);
    }

    private Path write(Vector[] centers) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(centers.length * settings.workload().features() * Double.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
        for (Vector center : centers) {
            for (double value : center.toArray()) {
                bytes.putDouble(value);
            }
        }
        return Files.write(Path.of(settings.scratch(), "centers.f64"), bytes.array());
    }
}
