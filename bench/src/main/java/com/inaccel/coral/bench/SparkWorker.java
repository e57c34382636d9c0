package com.inaccel.coral.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.bench.Contestant.Order;
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
import java.util.Optional;
import java.util.function.LongFunction;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.functions;
import org.apache.spark.ml.linalg.BLAS$;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The far side of {@link Worker} for contestants on Spark: one session, one table, one estimator. */
abstract class SparkWorker {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int WARM_UP_ITERATIONS = 2;
    private static final Pattern BLAS_LIBRARY = Pattern.compile("^lib(openblas|blas|blis|mkl|atlas)");

    /** Where the rows lie when a fit begins. */
    enum Source { CACHED_VECTORS, PARQUET_FLOATS }

    /**
     * What to be, as JSON in a file.
     *
     * @param workload as JSON
     * @param address of Coral; empty for MLlib's own estimator
     * @param solver MLlib's parameter, where the estimator has it
     * @param warmUpSeconds so long untimed fits go on, one at the least: what is compared is code that the JVM has compiled
     * @param scratch where Spark and the models go
     */
    record Settings(JsonNode workload, String address, String precision, String solver, Source source, int cores,
            double warmUpSeconds, String scratch) {
        boolean coral() {
            return !address.isEmpty();
        }

        <W extends Workload> W workload(Class<W> type) {
            return JSON.convertValue(workload, type);
        }
    }

    /**
     * What a fit gave.
     *
     * @param models of equal lengths
     * @param objective as the last model reports it
     */
    record Fitted(int iterations, double[][] models, double objective) { }

    final Settings settings;
    private final Workload workload;
    private SparkSession spark;
    private Dataset<Row> table;
    private JobCounter jobs;

    SparkWorker(Settings settings, Workload workload) {
        this.settings = settings;
        this.workload = workload;
    }

    abstract Estimator<?> estimator();

    /** Fits once; what it does beyond is timed too. */
    abstract Fitted fit(Dataset<Row> rows, Order order);

    /** Of Coral's last fit; empty for MLlib's. */
    abstract Optional<FitReport> report();

    /** What else there is to know of the estimator's settings. */
    abstract Map<String, String> about();

    /** Counts that only this algorithm has, of the last fit. */
    Map<String, Object> details(JobCounter counted) {
        return Map.of();
    }

    static Settings settings(String[] arguments) throws IOException {
        return JSON.readValue(Path.of(arguments[0]).toFile(), Settings.class);
    }

    /** Loads, warms up, says so, and answers until its input ends. */
    final void serve() throws IOException {
        // Standard output is the answers' alone.
        PrintStream answers = System.out;
        System.setOut(System.err);
        QuietLogs.install();
        Map<String, String> conf = settings.coral()
            ? Map.of(CoralConf.Key.ADDRESS.key(), settings.address(), CoralConf.Key.PRECISION.key(), settings.precision())
            : Map.of();
        spark = LocalSpark.start("coral-bench", settings.cores(), Path.of(settings.scratch()), conf);
        try (BufferedReader commands = new BufferedReader(
                new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            jobs = JobCounter.of(spark.sparkContext());
            load();
            long start = System.nanoTime();
            do {
                fit(table, new Order(WARM_UP_ITERATIONS, 1));
            } while (System.nanoTime() - start < settings.warmUpSeconds() * 1e9);
            answer(answers, Map.of("about", allAbout()));
            for (String command = commands.readLine(); command != null; command = commands.readLine()) {
                String[] words = command.split(" ");
                answer(answers, timed(new Order(Integer.parseInt(words[1]), Integer.parseInt(words[2]))));
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
        Workload made = workload; // a field would drag this object into the task
        Dataset<Row> generated = spark.range(0, made.rows(), 1, settings.cores())
            .mapPartitions((MapPartitionsFunction<Long, Row>) indexes -> {
                LongFunction<Row> maker = made.rowMaker();
                Iterable<Long> once = () -> indexes;
                return StreamSupport.stream(once.spliterator(), false).map(maker::apply).iterator();
            }, Encoders.row(made.schema()));
        if (settings.source() == Source.PARQUET_FLOATS) {
            String file = Path.of(settings.scratch(), "rows.parquet").toUri().toString();
            generated.withColumn(Workload.FEATURES,
                functions.vector_to_array(generated.col(Workload.FEATURES), "float32")).write().parquet(file);
            table = spark.read().parquet(file);
        } else {
            table = generated.cache();
        }
        table.count();
    }

    private Map<String, String> allAbout() throws IOException {
        Map<String, String> about = new LinkedHashMap<>();
        about.put("estimator", estimator().getClass().getName());
        about.putAll(about());
        about.put("cores", Integer.toString(settings.cores()));
        about.put("maxHeap", (Runtime.getRuntime().maxMemory() >> 20) + " MiB");
        about.put("spark", spark.version());
        about.put("java", System.getProperty("java.version"));
        about.put("blas", blas());
        about.put("precision", report().map(report -> report.precision().name().toLowerCase(Locale.ROOT)).orElse("double"));
        report().ifPresent(report -> {
            about.put("address", report.address());
            about.put("devices", String.join(", ", report.devices()));
        });
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

    private Map<String, Object> timed(Order order) throws IOException {
        jobs.reset();
        long start = System.nanoTime();
        Fitted fitted = fit(table, order);
        double seconds = (System.nanoTime() - start) / 1e9;

        Map<String, Object> details = new LinkedHashMap<>();
        details.put("reportedObjective", fitted.objective());
        jobs.settle();
        details.put("sparkJobs", jobs.jobs());
        details.putAll(details(jobs));
        report().ifPresent(report -> {
            details.put("bytesShipped", report.bytesShipped());
            details.put("shipSeconds", report.shipNanos() / 1e9);
            details.put("shipTaskSeconds", report.shipTaskNanos() / 1e9);
            details.put("initSeconds", report.initNanos() / 1e9);
            details.put("iterateSeconds", report.iterateNanos() / 1e9);
            details.put("deviceSeconds", report.runNanos() / 1e9);
            details.put("queueSeconds", report.queueNanos() / 1e9);
        });
        // What the fit leaves behind counts, not the garbage it made on the way.
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        details.put("heapBytes", runtime.totalMemory() - runtime.freeMemory());
        return Map.of("seconds", seconds, "iterations", fitted.iterations(), "models", write(fitted.models()).toString(),
            "length", fitted.models()[0].length, "details", details);
    }

    private Path write(double[][] models) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(models.length * models[0].length * Double.BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
        for (double[] model : models) {
            for (double value : model) {
                bytes.putDouble(value);
            }
        }
        return Files.write(Path.of(settings.scratch(), "models.f64"), bytes.array());
    }
}
