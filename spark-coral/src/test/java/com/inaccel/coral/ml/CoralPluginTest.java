package com.inaccel.coral.ml;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.frame;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.FallbackEngine;
import com.inaccel.coral.manager.Limits;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.ml.classification.LogisticRegression;
import com.inaccel.coral.ml.clustering.KMeans;
import com.inaccel.coral.ml.shipping.Inside;
import com.inaccel.coral.ml.shipping.PartitionFunction;
import com.inaccel.coral.ml.shipping.ShippedData;
import com.inaccel.coral.ml.shipping.Shipment;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.logging.log4j.core.config.Property;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerStageCompleted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import scala.collection.JavaConverters;

/** What Spark shows of Coral: the plugin's counters as Prometheus reads them, the stages' accumulators, fallbacks. */
@Tag("own-spark")
class CoralPluginTest {
    /** A task may fail once. Started before {@link SparkTest}'s, which finds it. */
    private static final SparkSession SPARK = SparkSession.builder().master("local[2, 2]").appName("coral plugin")
        .config("spark.plugins", CoralPlugin.class.getName())
        .config("spark.metrics.namespace", "test")
        .config("spark.metrics.conf.*.sink.prometheusServlet.class", "org.apache.spark.metrics.sink.PrometheusServlet")
        .config("spark.metrics.conf.*.sink.prometheusServlet.path", "/metrics/prometheus")
        .config("spark.ui.enabled", "true").config("spark.ui.port", "0")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate();
    private static final Pattern COUNTER = Pattern.compile(
        "metrics_test_driver_plugin_com_inaccel_coral_ml_CoralPlugin_(\\w+)_Count\\{type=\"counters\"} (\\d+)");
    private static final int PARTITIONS = 3;
    /** Static, for tasks to see it: they run in this process. */
    private static final AtomicInteger ROWS_READ = new AtomicInteger();

    @TempDir
    Path root;

    @AfterEach
    void reset() {
        SPARK.conf().set("spark.coral.address", Coral.EMBEDDED);
        SPARK.conf().unset("spark.coral.passes");
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    /** What changed meanwhile: the plugin's counters, the sums of all stages' accumulators, and how many tasks failed. */
    private record Seen<T>(T result, Map<String, Long> counters, Map<String, Long> accumulators, int failedTasks) { }

    private static <T> Seen<T> watch(Callable<T> work) throws Exception {
        Map<String, Long> accumulators = new TreeMap<>();
        AtomicInteger failedTasks = new AtomicInteger();
        SparkListener listener = new SparkListener() {
            @Override
            public void onStageCompleted(SparkListenerStageCompleted stage) {
                JavaConverters.mapAsJavaMap(stage.stageInfo().accumulables()).values().stream()
                    .filter(accumulable -> accumulable.name().get().startsWith("coral."))
                    .forEach(accumulable -> accumulators.merge(accumulable.name().get(),
                        ((Number) accumulable.value().get()).longValue(), Long::sum));
            }

            @Override
            public void onTaskEnd(SparkListenerTaskEnd end) {
                failedTasks.addAndGet(end.taskInfo().failed() ? 1 : 0);
            }
        };
        SPARK.sparkContext().addSparkListener(listener);
        try {
            Map<String, Long> counters = counters();
            T result = work.call();
            SPARK.sparkContext().listenerBus().waitUntilEmpty();
            Map<String, Long> after = counters();
            after.replaceAll((name, value) -> value - counters.get(name));
            return new Seen<>(result, after, accumulators, failedTasks.get());
        } finally {
            SPARK.sparkContext().removeSparkListener(listener);
        }
    }

    private static Map<String, Long> counters() throws IOException {
        URI page = URI.create(SPARK.sparkContext().uiWebUrl().get() + "/metrics/prometheus/");
        try (InputStream in = page.toURL().openStream()) {
            Map<String, Long> counters = new TreeMap<>();
            Matcher line = COUNTER.matcher(new String(in.readAllBytes(), UTF_8));
            while (line.find()) {
                counters.put(line.group(1), Long.valueOf(line.group(2)));
            }
            return counters;
        }
    }

    private interface Served<T> {
        T get() throws Exception;
    }

    /** Runs it with this engine behind a manager's socket. */
    private <T> T servedBy(Engine started, Served<T> work) throws Exception {
        try (Engine engine = started;
                Manager manager = Manager.start(engine, root, new Allocation("test", 1L << 30, 1), Limits.defaults())) {
            SPARK.conf().set("spark.coral.address", manager.address());
            T result = work.get();
            Inside.sharedMemoryInUse(); // closes the session
            return result;
        }
    }

    private <T> T servedByFpga(Served<T> work) throws Exception {
        return servedBy(Engine.start(EngineConfig.of(Map.of("coral.emulate", "xilinx/u250:1",
            "coral.emulate.programming", "1ms"))), work);
    }

    private static Dataset<Row> data() {
        List<Vector> features = blobs(900, 5, 2, 1);
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < features.size(); i++) {
            rows.add(RowFactory.create(features.get(i), i % 3 == 0 ? 1.0 : 0.0));
        }
        return frame(rows, new StructType().add("features", new VectorUDT()).add("label", DataTypes.DoubleType),
            PARTITIONS);
    }

    private static FitReport fit(String estimator, Dataset<Row> data) {
        if (estimator.equals("KMeans")) {
            KMeans kMeans = new KMeans();
            kMeans.setK(2).setSeed(3).setMaxIter(3).fit(data);
            return kMeans.lastFit().orElseThrow();
        }
        LogisticRegression regression = new LogisticRegression();
        regression.setMaxIter(3).fit(data);
        return regression.lastFit().orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({"KMeans, auto", "KMeans, jobs", "LogisticRegression, auto", "LogisticRegression, jobs"})
    void shouldShowWhatAFitDoesInCountersAndAccumulatorsAsItsReportTells(String estimator, String passes) throws Exception {
        SPARK.conf().set("spark.coral.passes", passes);
        Dataset<Row> data = data();

        Seen<FitReport> seen = servedByFpga(() -> watch(() -> fit(estimator, data)));

        FitReport report = seen.result();
        assertThat(report.partitionsShipped()).isEqualTo(PARTITIONS);
        assertThat(report.devices()).containsExactly("xilinx-u250-0");
        assertThat(report.fallbacks()).isEmpty();
        assertThat(report.queueNanos()).isPositive();
        assertThat(report.transferNanos()).isPositive();
        assertThat(report.runNanos()).isPositive();
        assertThat(seen.counters()).containsEntry("partitionsShipped", report.partitionsShipped())
            .containsEntry("bytesShipped", report.bytesShipped()).containsEntry("shipNanos", report.shipTaskNanos())
            .containsEntry("requestsFailed", 0L).containsEntry("queueNanos", report.queueNanos())
            .containsEntry("transferNanos", report.transferNanos()).containsEntry("runNanos", report.runNanos())
            .containsEntry("shipments", 1L).containsEntry("passes", (long) report.passes())
            .containsEntry("hostFallbacks", 0L).containsEntry("embeddedFallbacks", 0L);
        assertThat(seen.counters().get("requestsDone")).isGreaterThanOrEqualTo(PARTITIONS);
        assertThat(seen.accumulators()).containsOnly(
            Map.entry("coral.partitionsShipped", report.partitionsShipped()),
            Map.entry("coral.bytesShipped", report.bytesShipped()), Map.entry("coral.queueNanos", report.queueNanos()),
            Map.entry("coral.transferNanos", report.transferNanos()), Map.entry("coral.runNanos", report.runNanos()));
    }

    @Test
    void shouldCountAPartitionOnceWhenTheTaskThatShipsItIsRepeated() throws Exception {
        Dataset<Row> data = data();
        Dataset<Row> flaky = data.map((MapFunction<Row, Row>) row -> {
            boolean first = TaskContext.getPartitionId() == 1 && TaskContext.get().attemptNumber() == 0;
            if (first && ROWS_READ.incrementAndGet() == 200) {
                throw new IllegalStateException("in the middle of the partition");
            }
            return row;
        }, data.encoder());

        Seen<FitReport> seen = watch(() -> fit("KMeans", flaky));

        assertThat(seen.failedTasks()).isOne();
        FitReport report = seen.result();
        assertThat(report.partitionsShipped()).isEqualTo(PARTITIONS);
        assertThat(seen.counters()).containsEntry("partitionsShipped", (long) PARTITIONS)
            .containsEntry("bytesShipped", report.bytesShipped());
        assertThat(seen.accumulators()).containsEntry("coral.partitionsShipped", (long) PARTITIONS)
            .containsEntry("coral.bytesShipped", report.bytesShipped());
    }

    /** @param failsAfterwards in partition 1, at the first attempt */
    private static PartitionFunction<Integer> request(String accelerator, boolean failsAfterwards) {
        return (partition, index, stats) -> {
            Segment vectors = partition.scratch("vectors", 3 * 4096);
            partition.run(List.of(Request.of(accelerator).read(vectors, 0, 4096).read(vectors, 4096, 4096)
                .write(vectors, 8192, 4096).arg(1024)), stats);
            if (failsAfterwards && index == 1 && TaskContext.get().attemptNumber() == 0) {
                throw new IllegalStateException("after its request was done");
            }
            return index;
        };
    }

    private static ShippedData ship() {
        SPARK.conf().set("spark.coral.passes", "jobs");
        return ShippedData.ship(data(), new Shipment("features", "", "", false, false, "com.inaccel.ml.KMeans.AssignDouble"),
            CoralConf.of(SPARK));
    }

    @Test
    void shouldCountEachRequestOfARepeatedTaskButAddUpOnlyThoseOfTheTaskThatSucceeded() throws Exception {
        try (ShippedData shipped = ship()) {
            Seen<List<Integer>> seen = watch(() -> shipped.run(request("com.inaccel.math.Vector.Add", true)));

            assertThat(seen.failedTasks()).isOne();
            assertThat(seen.counters()).containsEntry("requestsDone", PARTITIONS + 1L).containsEntry("requestsFailed", 0L);
            assertThat(seen.counters().get("queueNanos")).isGreaterThan(shipped.stats().queueNanos());
            assertThat(seen.accumulators()).containsEntry("coral.queueNanos", shipped.stats().queueNanos())
                .containsEntry("coral.runNanos", shipped.stats().runNanos());
        }
    }

    @Test
    void shouldCountRequestsThatFail() throws Exception {
        try (ShippedData shipped = ship()) {
            PartitionFunction<Integer> unknown = request("com.inaccel.math.Vector.Ad", false);
            Seen<Object> seen = watch(() -> assertThatThrownBy(() -> shipped.run(unknown, new int[] {0}))
                .hasStackTraceContaining("com.inaccel.math.Vector.Ad"));

            assertThat(seen.failedTasks()).isEqualTo(2);
            assertThat(seen.counters()).containsEntry("requestsFailed", 2L).containsEntry("requestsDone", 0L);
            assertThat(seen.accumulators()).isEmpty();
        }
    }

    @Test
    void shouldTellOfPureJavaInPlaceOfOpenClInReportsCountersAndOnceInTheLog() throws Exception {
        String reason = "no OpenCL loader: libOpenCL.so is not there";
        Dataset<Row> data = data();
        try (Warnings warnings = new Warnings()) {
            Seen<FitReport> seen = servedBy(FallbackEngine.start(reason), () -> watch(() -> {
                fit("LogisticRegression", data);
                return fit("KMeans", data);
            }));

            assertThat(seen.result().fallbacks()).containsExactly("HOST: " + reason);
            assertThat(seen.result().devices()).containsExactly("host-0");
            assertThat(seen.counters()).containsEntry("hostFallbacks", 1L).containsEntry("embeddedFallbacks", 0L);
            assertThat(warnings.messages).containsExactly(
                "executors compute in pure Java, which is many times slower than OpenCL: " + reason);
        }
    }

    @Test
    void shouldTellOfEmbeddedEnginesOnlyWhereNobodyChoseThem() throws Exception {
        assumeThat(System.getenv(Coral.ADDRESS_VARIABLE)).isNull();
        assumeThat(Coral.defaultAddress()).isEqualTo(Coral.EMBEDDED);
        Dataset<Row> data = data();
        assertThat(fit("KMeans", data).fallbacks()).noneMatch(fallback -> fallback.startsWith("EMBEDDED"));
        Inside.sharedMemoryInUse(); // closes the session
        SPARK.conf().set("spark.coral.address", "");

        Seen<FitReport> seen = watch(() -> fit("KMeans", data));

        assertThat(seen.result().fallbacks()).contains("EMBEDDED: no node manager: missing=" + Coral.DEFAULT_SOCKET);
        assertThat(seen.counters()).containsEntry("embeddedFallbacks", 1L);
    }

    /** Warnings of fallbacks while it is open. */
    private static final class Warnings extends AbstractAppender implements AutoCloseable {
        final List<String> messages = new ArrayList<>();
        private final Logger logger = (Logger) LogManager.getLogger("com.inaccel.coral.ml.shipping.Fallback");

        Warnings() {
            super("warnings", null, null, true, Property.EMPTY_ARRAY);
            start();
            logger.addAppender(this);
            Configurator.setLevel(logger, Level.WARN); // the tests' configuration wants errors alone
        }

        @Override
        public void append(LogEvent event) {
            messages.add(event.getMessage().getFormattedMessage());
        }

        @Override
        public void close() {
            Configurator.setLevel(logger, Level.ERROR);
            logger.removeAppender(this);
            stop();
        }
    }
}
