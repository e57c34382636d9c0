package com.inaccel.coral.ml.shipping;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.spark;
import static com.inaccel.coral.ml.SparkTest.vectors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.clustering.KMeans;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.apache.spark.api.java.function.MapFunction;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.evaluation.ClusteringEvaluator;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.tuning.CrossValidator;
import org.apache.spark.ml.tuning.ParamGridBuilder;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.JavaConverters;

/** Fits that share what was shipped: how often it is shipped, and when it goes. */
class ShipmentsTest {
    private static final long DEADLINE_NANOS = 20_000_000_000L;
    private static final int FOLDS = 2;
    private static final int PARTITIONS = 3;
    /** Static, for tasks to see it: they run in this process. */
    private static final AtomicLong FAILURES_LEFT = new AtomicLong();

    private final PartitionsShipped shipped = new PartitionsShipped();

    @BeforeEach
    void listen() {
        spark().sparkContext().addSparkListener(shipped);
    }

    @AfterEach
    void forget() {
        spark().conf().unset("spark.coral.shipment.linger");
        spark().conf().unset("spark.coral.passes");
        spark().sparkContext().removeSparkListener(shipped);
        spark().catalog().clearCache();
        awaitNothingHeld();
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    private static boolean isHeld() {
        return JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values().stream()
            .anyMatch(rdd -> "coral training data".equals(rdd.name()));
    }

    private static void awaitNothingHeld() {
        await(() -> !isHeld());
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + DEADLINE_NANOS;
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - deadline).as("still waiting").isNegative();
            LockSupport.parkNanos(1_000_000);
        }
    }

    private static KMeans kMeans() {
        KMeans kMeans = new KMeans();
        kMeans.setSeed(11).setMaxIter(5).setTol(0);
        return kMeans;
    }

    private static Dataset<Row> data() {
        return vectors(blobs(600, 5, 4, 1), PARTITIONS);
    }

    /** The centers of every fold and map. */
    private static List<Vector[]> crossValidate(int parallelism) {
        KMeans kMeans = kMeans();
        Model<?>[][] models = new CrossValidator().setEstimator(kMeans).setEvaluator(new ClusteringEvaluator())
            .setEstimatorParamMaps(new ParamGridBuilder().addGrid(kMeans.k(), new int[] {2, 4, 7}).build())
            .setNumFolds(FOLDS).setSeed(5).setParallelism(parallelism).setCollectSubModels(true).fit(data()).subModels();
        assertThat(kMeans.lastFit()).isPresent();
        List<Vector[]> centers = new ArrayList<>();
        for (Model<?>[] fold : models) {
            for (Model<?> model : fold) {
                centers.add(((KMeansModel) model).clusterCenters());
            }
        }
        return centers;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void shouldShipEachFoldOnceAndLeaveNothing(int parallelism) throws Exception {
        List<Vector[]> together = crossValidate(parallelism);
        awaitNothingHeld();
        assertThat(Inside.sharedMemoryInUse()).isZero();
        // The best map is fitted once more, to all the data, which is not cached.
        assertThat(shipped.count()).isEqualTo(FOLDS * PARTITIONS + PARTITIONS);

        spark().conf().set("spark.coral.shipment.linger", "0s");
        List<Vector[]> alone = crossValidate(1);
        assertThat(shipped.count()).isEqualTo((FOLDS + 1 + 3 * FOLDS + 1) * PARTITIONS);
        assertThat(together).usingRecursiveComparison().isEqualTo(alone);
    }

    @Test
    void shouldReportEachFitForItself() {
        spark().conf().set("spark.coral.passes", "jobs");
        Dataset<Row> data = data().cache();
        KMeans kMeans = kMeans();
        ParamMap k = new ParamMap().put(kMeans.k(), 3);
        KMeansModel first = kMeans.fit(data, k);
        assertThat(first.parent()).isInstanceOf(KMeans.class).isNotSameAs(kMeans);
        int jobs = kMeans.lastFit().orElseThrow().sparkJobs();
        assertThat(kMeans.fit(data, k).clusterCenters()).isEqualTo(first.clusterCenters());
        assertThat(kMeans.lastFit().orElseThrow().sparkJobs()).isEqualTo(jobs - 1);
        assertThat(kMeans.lastFit().orElseThrow().partitionsShipped()).isEqualTo(PARTITIONS);
        data.unpersist();
    }

    @Test
    void shouldKeepNothingOfADatasetThatIsNotCached() {
        KMeans kMeans = kMeans();
        kMeans.fit(data(), new ParamMap().put(kMeans.k(), 3));
        assertThat(isHeld()).isFalse();
    }

    @Test
    void shouldLetGoWhenNobodyHasComeForTheLingerTime() {
        spark().conf().set("spark.coral.shipment.linger", "300ms");
        Dataset<Row> data = data().cache();
        KMeans kMeans = kMeans();
        kMeans.fit(data, ParamMap.empty());
        assertThat(isHeld()).isTrue();
        awaitNothingHeld();
        assertThat(Inside.sharedMemoryInUse()).isZero();
        assertThat(kMeans.fit(data, ParamMap.empty()).clusterCenters()).hasSize(2);
    }

    @Test
    void shouldKeepWhatIsInUseWhenTheDatasetIsUnpersisted() throws Exception {
        Dataset<Row> data = data().cache();
        try (ShippedData used = acquire(data, "features")) {
            data.unpersist(true);
            spark().sparkContext().listenerBus().waitUntilEmpty();
            assertThat(used.run((partition, index, stats) -> partition.batches().size())).hasSize(PARTITIONS);
            data.cache();
            acquire(data, "features").close();
            assertThat(shipped.count()).isEqualTo(2 * PARTITIONS);
        }
    }

    @Test
    void shouldNotLingerWhereTheDatasetWasUnpersistedUnheard() {
        Dataset<Row> data = data().cache();
        ShippedData used = acquire(data, "features");
        Shipments.of(spark().sparkContext()).stop();
        data.unpersist(true);
        used.close();
        used.close();
        assertThat(isHeld()).isFalse();
    }

    @Test
    void shouldTellDatasetsApartThatDifferInNamesOnly() {
        Dataset<Row> data = data();
        Dataset<Row> one = data.select(data.col("features").as("a"), data.col("features").as("b")).cache();
        Dataset<Row> other = data.select(data.col("features").as("b"), data.col("features").as("a"));
        try (ShippedData first = acquire(one, "a"); ShippedData second = acquire(other, "a");
                ShippedData third = acquire(one, "a")) {
            assertThat(second.jobs()).isEqualTo(first.jobs()).isEqualTo(1);
            assertThat(third.jobs()).isZero();
        }
    }

    @Test
    void shouldGiveEachFitScratchMemoryOfItsOwnUntilItEnds() {
        Dataset<Row> data = data().cache();
        try (ShippedData one = acquire(data, "features")) {
            ShippedData other = acquire(data, "features");
            assertThat(marks(one, 1)).containsOnly(0);
            assertThat(marks(other, 2)).containsOnly(0);
            assertThat(marks(one, 3)).containsOnly(1);
            assertThat(marks(other, 4)).containsOnly(2);
            int[] first = {0};
            long withBoth = one.run((partition, index, stats) -> partition.scratchBytes(), first).get(0);
            other.close();
            long alone = one.run((partition, index, stats) -> partition.scratchBytes(), first).get(0);
            assertThat(alone).isPositive().isEqualTo(withBoth / 2);
            assertThat(marks(one, 5)).containsOnly(3);
        }
    }

    /** Leaves a mark in each partition's scratch memory, and returns those that were there; 0 where there was none. */
    private static List<Integer> marks(ShippedData data, int mark) {
        return data.run((partition, index, stats) -> {
            boolean fresh = !partition.hasScratch("mark");
            ByteBuffer memory = partition.scratch("mark", 4096).buffer(0, Integer.BYTES);
            int before = fresh ? 0 : memory.getInt(0);
            memory.putInt(0, mark);
            return before;
        });
    }

    @Test
    void shouldShipOnceForManyWhoComeAtOnceAndTryAgainAfterAFailure() throws Exception {
        Dataset<Row> plain = data();
        FAILURES_LEFT.set(1);
        Dataset<Row> data = plain.map((MapFunction<Row, Row>) row -> {
            if (FAILURES_LEFT.getAndDecrement() > 0) {
                throw new IllegalStateException("the first row fails");
            }
            return row;
        }, plain.encoder()).cache();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Callable<Integer>> calls = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                calls.add(() -> {
                    try (ShippedData shared = acquire(data, "features")) {
                        return shared.run((partition, index, stats) -> partition.batches().size()).size();
                    }
                });
            }
            int failed = 0;
            for (Future<Integer> result : threads.invokeAll(calls)) {
                try {
                    assertThat(result.get()).isEqualTo(PARTITIONS);
                } catch (ExecutionException e) {
                    assertThat(e).hasStackTraceContaining("the first row fails");
                    failed++;
                }
            }
            assertThat(failed).isEqualTo(1);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void shouldGiveEverythingBackWhenSparkStops() {
        Dataset<Row> data = data().cache();
        acquire(data, "features").close();
        assertThat(isHeld()).isTrue();
        Shipments before = Shipments.of(spark().sparkContext());
        before.stop();
        assertThat(Inside.sharedMemoryInUse()).isZero();
        assertThat(Shipments.of(spark().sparkContext())).isNotSameAs(before);
        JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values().stream()
            .filter(rdd -> "coral training data".equals(rdd.name())).forEach(rdd -> rdd.unpersist(true));
    }

    @Test
    void shouldRefuseANegativeLinger() {
        spark().conf().set("spark.coral.shipment.linger", "-1s");
        assertThatThrownBy(() -> CoralConf.of(spark())).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("spark.coral.shipment.linger=-1s");
        spark().conf().set("spark.coral.shipment.linger", "1500ms");
        assertThat(CoralConf.of(spark()).linger()).isEqualTo(Duration.ofMillis(1500));
    }

    private static ShippedData acquire(Dataset<Row> data, String column) {
        Shipment shipment = new Shipment(column, "", "", false, false, "com.inaccel.ml.KMeans.AssignDouble");
        return Shipments.acquire(data, shipment, CoralConf.of(spark()));
    }
}
