package com.inaccel.coral.ml.clustering;

import static com.inaccel.coral.ml.SparkTest.blobs;
import static com.inaccel.coral.ml.SparkTest.spark;
import static com.inaccel.coral.ml.SparkTest.vectors;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.Limits;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.SparkTest;
import com.inaccel.coral.ml.shipping.Inside;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.spark.SparkEnv;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.rdd.RDD;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobEnd;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.RDDBlockId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.collection.JavaConverters;

/** Fits through a node manager, and what becomes of them when somebody dies on the way. */
class ManagerFitTest {
    private static final long QUOTA_BYTES = 1L << 30;

    @TempDir
    Path root;

    private Engine engine;
    private Manager manager;

    @BeforeEach
    void start() {
        start(Map.of("coral.memory.pool.idle", "0s"), QUOTA_BYTES);
    }

    private void start(Map<String, String> config, long quotaBytes) {
        engine = Engine.start(EngineConfig.of(config));
        manager = Manager.start(engine, root, new Allocation("test", quotaBytes, 1), Limits.defaults());
        spark().conf().set("spark.coral.address", manager.address());
    }

    @AfterEach
    void stop() {
        spark().conf().unset("spark.coral.address");
        spark().conf().unset("spark.coral.passes");
        Inside.sharedMemoryInUse();
        manager.close();
        engine.close();
    }

    private static KMeans kMeans() {
        KMeans kMeans = new KMeans();
        kMeans.setK(5).setSeed(3).setMaxIter(8).setTol(0);
        return kMeans;
    }

    @Test
    void shouldGiveTheSameBitsThroughTheSocketAndEmbeddedByJobsAndWithout() {
        Dataset<Row> data = vectors(blobs(2000, 6, 5, 1), 4);
        KMeans kMeans = kMeans();
        Vector[] socket = kMeans.fit(data).clusterCenters();
        assertThat(kMeans.lastFit().orElseThrow().address()).isEqualTo(manager.address());
        spark().conf().set("spark.coral.passes", "jobs");
        assertThat(kMeans().fit(data).clusterCenters()).isEqualTo(socket);
        spark().conf().set("spark.coral.address", "embedded:");
        assertThat(kMeans().fit(data).clusterCenters()).isEqualTo(socket);
        spark().conf().unset("spark.coral.passes");
        assertThat(kMeans().fit(data).clusterCenters()).isEqualTo(socket);
    }

    @Test
    void shouldGiveTheSameBitsOnEmulatedDevicesThatHoldNotAllOfTheData() {
        Dataset<Row> data = vectors(blobs(40_000, 16, 5, 1), 4);
        Vector[] expected = kMeans().fit(data).clusterCenters();
        stop();
        start(Map.of("coral.emulate", "xilinx/u250:2", "coral.emulate.programming", "1ms",
            "coral.emulate.memory", "4MB"), QUOTA_BYTES);
        KMeans kMeans = kMeans();
        assertThat(kMeans.fit(data).clusterCenters()).isEqualTo(expected);
        assertThat(kMeans.lastFit().orElseThrow().devices()).allMatch(id -> id.startsWith("xilinx-u250-"));
    }

    @Test
    void shouldShipALostPartitionAgainAndGiveTheSameBits() {
        spark().conf().set("spark.coral.passes", "jobs"); // the partitions are lost between jobs
        Dataset<Row> data = vectors(blobs(2000, 6, 5, 1), 4);
        KMeans undisturbed = kMeans();
        Vector[] expected = undisturbed.fit(data).clusterCenters();
        for (int jobs : new int[] {2, 4, 9}) { // in the initialization, and between iterations
            SparkListener thief = stealingPartitionsAfter(jobs);
            spark().sparkContext().addSparkListener(thief);
            try {
                KMeans kMeans = kMeans();
                assertThat(kMeans.fit(data).clusterCenters()).isEqualTo(expected);
                FitReport report = kMeans.lastFit().orElseThrow();
                assertThat(report.partitionsShipped()).isGreaterThan(report.partitions());
            } finally {
                spark().sparkContext().removeSparkListener(thief);
            }
        }
    }

    /** Makes the block manager forget the shipped partitions once so many jobs have ended, as a lost executor would. */
    private static SparkListener stealingPartitionsAfter(int jobs) {
        AtomicInteger ended = new AtomicInteger();
        return new SparkListener() {
            @Override
            public void onJobEnd(SparkListenerJobEnd end) {
                if (ended.incrementAndGet() == jobs) {
                    for (RDD<?> rdd : JavaConverters.mapAsJavaMap(spark().sparkContext().getPersistentRDDs()).values()) {
                        for (int i = 0; i < rdd.getNumPartitions(); i++) {
                            SparkEnv.get().blockManager().removeBlock(new RDDBlockId(rdd.id(), i), true);
                        }
                    }
                }
            }
        };
    }

    @Test
    void shouldFreeTheMemoryOfAClientThatIsKilledInTheMiddleOfAFit() throws Exception {
        Process client = clientProcess();
        try {
            eventually("the client fits", () -> engine.stats().devices().stream()
                .anyMatch(device -> device.requests() > 20));
            assertThat(engine.stats().usedBytes()).isPositive();
            client.destroyForcibly();
            assertThat(client.waitFor(10, TimeUnit.SECONDS)).isTrue();
            eventually("its memory is free", () -> engine.stats().usedBytes() == 0);
        } finally {
            client.destroyForcibly();
        }
        assertThat(kMeans().fit(vectors(blobs(500, 6, 5, 1), 2)).clusterCenters()).hasSize(5);
    }

    private Process clientProcess() throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        java.lang.management.ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(argument -> argument.startsWith("--add-opens") || argument.startsWith("-D") || argument.startsWith("@"))
            .forEach(command::add);
        command.addAll(List.of("-Xmx1g", "-cp", System.getProperty("java.class.path"), EndlessFits.class.getName(),
            manager.address()));
        Path log = Files.createTempFile(root, "client", ".log");
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    }

    private static void eventually(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(deadline);
            java.util.concurrent.locks.LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    @Test
    void shouldNameWhatWasAskedForWhenTheQuotaIsUsedUp() {
        stop();
        start(Map.of("coral.memory.pool.idle", "0s"), 12L << 20);
        org.assertj.core.api.Assertions
            .assertThatThrownBy(() -> kMeans().fit(vectors(blobs(20_000, 100, 5, 1), 2)))
            .hasStackTraceContaining("QUOTA_EXCEEDED").hasStackTraceContaining("requestedBytes=")
            .hasStackTraceContaining("freeBytes=").hasStackTraceContaining("limitBytes=");
        assertThat(engine.stats().usedBytes()).isZero();
    }

    /** A client that fits until it is killed. */
    static final class EndlessFits {
        private EndlessFits() { }

        public static void main(String[] arguments) {
            SparkTest.spark().conf().set("spark.coral.address", arguments[0]);
            Dataset<Row> data = SparkTest.vectors(SparkTest.blobs(5000, 20, 5, 1), 2).cache();
            while (true) {
                kMeans().fit(data);
            }
        }
    }
}
