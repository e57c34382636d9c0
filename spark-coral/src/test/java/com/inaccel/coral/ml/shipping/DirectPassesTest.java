package com.inaccel.coral.ml.shipping;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.spark;
import static com.inaccel.coral.ml.SparkTest.vectors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.ml.CoralConf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.storage.RDDBlockId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import scala.collection.JavaConverters;

/** Passes by tasks that stay: what they share with passes by jobs, and how they end. */
class DirectPassesTest {
    private static final int PARTITIONS = 3;
    /** Static, for tasks to see them: they run in this process. */
    private static final AtomicInteger INSIDE = new AtomicInteger();
    private static volatile CountDownLatch entered;

    @AfterEach
    void forget() {
        spark().conf().unset("spark.coral.passes");
        spark().sparkContext().clearJobGroup();
        assertThat(INSIDE).hasValue(0);
        assertThat(Inside.sharedMemoryInUse()).isZero();
    }

    private static ShippedData ship(String passes) {
        spark().conf().set("spark.coral.passes", passes);
        return ShippedData.ship(vectors(blobs(300, 4, 3, 1), PARTITIONS),
            new Shipment("features", "", "", false, false, "com.inaccel.ml.KMeans.AssignDouble"), CoralConf.of(spark()));
    }

    private static List<Long> rows(ShippedData data) {
        return data.run((partition, index, stats) -> partition.info().rows());
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "jobs"})
    void shouldTakeAJobForEachPassOnlyWhenAskedTo(String passes) {
        try (ShippedData data = ship(passes)) {
            for (int pass = 0; pass < 20; pass++) {
                assertThat(rows(data)).containsExactly(100L, 100L, 100L);
            }
            assertThat(data.run((partition, index, stats) -> index, new int[] {2, 0})).containsExactly(2, 0);
            assertThat(data.passes()).isEqualTo(21);
            if (passes.equals("jobs")) {
                assertThat(data.jobs()).isEqualTo(1 + 21);
            } else {
                assertThat(data.jobs()).isBetween(2, 10); // one more for each turn that it takes
            }
        }
    }

    @Test
    void shouldLeaveNoJobBehind() throws Exception {
        try (ShippedData data = ship("auto")) {
            rows(data);
            assertThat(spark().sparkContext().statusTracker().getActiveJobIds()).hasSize(1);
        }
        spark().sparkContext().listenerBus().waitUntilEmpty();
        assertThat(spark().sparkContext().statusTracker().getActiveJobIds()).isEmpty();
    }

    /** Of so many numbers that by jobs they would go through a shuffle. */
    @ParameterizedTest
    @ValueSource(ints = {1000, 3_000_000})
    void shouldSumAsJobsDo(int length) {
        PartitionFunction<double[]> tenths = (partition, index, stats) ->
            IntStream.range(0, length).mapToDouble(i -> (i + 1) * Math.pow(0.1, index + 1)).toArray();
        double[] byJobs;
        try (ShippedData data = ship("jobs")) {
            byJobs = data.sum(tenths, length);
        }
        try (ShippedData data = ship("auto")) {
            assertThat(Arrays.equals(data.sum(tenths, length), byJobs)).isTrue();
            assertThat(data.passes()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "jobs"})
    void shouldHandOverWhatIsSentAsItIsUnlessItTravels(String passes) {
        double[] value = IntStream.range(0, 100_000).mapToDouble(i -> i).toArray();
        try (ShippedData data = ship(passes); Sent<double[]> large = data.send(value, 800_000);
                Sent<double[]> small = data.send(value, 8)) {
            for (Sent<double[]> sent : List.of(large, small)) {
                assertThat(data.run((partition, index, stats) -> Arrays.hashCode(sent.value())))
                    .containsOnly(Arrays.hashCode(value));
                boolean same = data.run((partition, index, stats) -> System.identityHashCode(sent.value())).stream()
                    .allMatch(hash -> hash == System.identityHashCode(value));
                assertThat(same).isEqualTo(passes.equals("auto") || sent == large); // a local broadcast is not copied
            }
        }
    }

    @Test
    void shouldShipALostPartitionAgainAndGoOnDirectly() {
        try (ShippedData data = ship("auto")) {
            List<List<Double>> before = firstValues(data);
            SparkEnv.get().blockManager().removeBlock(new RDDBlockId(shippedRdd().id(), 1), true);
            assertThat(firstValues(data)).isEqualTo(before);
            assertThat(data.partitionsShipped()).isEqualTo(PARTITIONS + 1);
            int jobs = data.jobs();
            for (int pass = 0; pass < 20; pass++) {
                assertThat(firstValues(data)).isEqualTo(before);
            }
            assertThat(data.jobs()).isLessThan(jobs + 10);
            assertThat(data.partitionsShipped()).isEqualTo(PARTITIONS + 1);
        }
    }

    private static List<List<Double>> firstValues(ShippedData data) {
        return data.run((partition, index, stats) -> {
            List<Double> values = new ArrayList<>();
            partition.batches().forEach(batch -> values.add(Batch.doubles(batch.features()).get(0)));
            return values;
        });
    }

    private static RDD<?> shippedRdd() {
        return JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values().stream()
            .filter(rdd -> "coral training data".equals(rdd.name())).findFirst().orElseThrow();
    }

    @Test
    void shouldFailAsAJobFailsAndTakeAnotherForTheNextPass() {
        try (ShippedData data = ship("auto")) {
            rows(data);
            assertThatThrownBy(() -> data.run((partition, index, stats) -> {
                if (index == 1) {
                    throw new IllegalStateException("not this one");
                }
                return index;
            })).isInstanceOf(SparkException.class).hasMessageContaining("Task")
                .hasStackTraceContaining("not this one").hasStackTraceContaining("DirectPassesTest.shouldFail");
            assertThat(rows(data)).hasSize(PARTITIONS);
        }
    }

    /** What may end a pass before its time. */
    private enum Stop {
        JOB_GROUP,
        JOB_GROUP_BY_INTERRUPTION,
        ALL_JOBS,
        INTERRUPTION
    }

    @ParameterizedTest
    @EnumSource(Stop.class)
    void shouldStopInTheMiddleOfAPass(Stop stop) throws Exception {
        entered = new CountDownLatch(1);
        CompletableFuture<Throwable> failure = new CompletableFuture<>();
        Thread fit = new Thread(() -> {
            spark().sparkContext().setJobGroup("a cell", "", stop == Stop.JOB_GROUP_BY_INTERRUPTION);
            try (ShippedData data = ship("auto")) {
                failure.complete(failureOf(() -> data.run((partition, index, stats) -> waitToBeKilled())));
            } catch (Throwable e) { // whatever it is, the test must hear of it
                failure.completeExceptionally(e);
            }
        });
        fit.start();
        entered.await();
        switch (stop) {
            case JOB_GROUP, JOB_GROUP_BY_INTERRUPTION -> spark().sparkContext().cancelJobGroup("a cell");
            case ALL_JOBS -> spark().sparkContext().cancelAllJobs();
            case INTERRUPTION -> fit.interrupt();
        }
        if (stop == Stop.INTERRUPTION) {
            assertThat(failure.get(60, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
        } else {
            assertThat(failure.get(60, TimeUnit.SECONDS)).isInstanceOf(SparkException.class)
                .hasMessageContaining("cancelled");
        }
        fit.join();
    }

    /** Nothing of the pass may run any more when it fails. */
    private static Throwable failureOf(Runnable pass) {
        try {
            pass.run();
            return null;
        } catch (Throwable e) { // Spark throws checked exceptions without declaring them
            assertThat(INSIDE).hasValue(0);
            return e;
        }
    }

    /** Is slow to go, as one who gives requests back is. */
    private static int waitToBeKilled() {
        INSIDE.incrementAndGet();
        entered.countDown();
        try {
            while (!TaskContext.get().isInterrupted() && !Thread.currentThread().isInterrupted()) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
            }
            long going = System.nanoTime();
            while (System.nanoTime() - going < TimeUnit.MILLISECONDS.toNanos(50)) {
                Thread.onSpinWait();
            }
            throw new IllegalStateException("killed");
        } finally {
            INSIDE.decrementAndGet();
        }
    }

    @Test
    void shouldHearOfACancellationBetweenPasses() throws Exception {
        try (ShippedData data = ship("auto")) {
            rows(data);
            spark().sparkContext().cancelAllJobs();
            assertThatThrownBy(() -> {
                for (int pass = 0; pass < 100_000; pass++) { // Spark cancels on another thread
                    rows(data);
                }
            }).isInstanceOf(SparkException.class).hasMessageContaining("cancelled");
        }
    }

    @Test
    void shouldLetOtherJobsHaveTheirTurn() throws Exception {
        try (ShippedData data = ship("auto")) {
            rows(data);
            CompletableFuture<Long> other = CompletableFuture.supplyAsync(() ->
                new JavaSparkContext(spark().sparkContext()).parallelize(List.of(1, 2, 3, 4), 4).count());
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (!other.isDone()) {
                rows(data);
                assertThat(System.nanoTime() - deadline).as("still waiting").isNegative();
            }
            assertThat(other.get()).isEqualTo(4);
        }
    }
}
