package com.inaccel.coral.ml;

import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.manager.Main;
import com.inaccel.coral.ml.classification.LogisticRegression;
import com.inaccel.coral.ml.clustering.KMeans;
import com.inaccel.coral.ml.shipping.Inside;
import com.inaccel.coral.protocol.SealedMemory;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A node manager that is killed during a fit costs time, and nothing else. */
@Timeout(180)
class RecoveryFitTest {
    @TempDir
    Path root;

    private Process manager;

    @BeforeEach
    void start() throws IOException {
        assertThat(Inside.sharedMemoryInUse()).as("what is in use later is the fit's").isZero();
        startManager();
        spark().conf().set("spark.coral.address", "unix:" + root.resolve("coral.sock"));
        spark().conf().set("spark.coral.reconnect", "60s");
    }

    @AfterEach
    void stop() throws InterruptedException {
        List.of("address", "reconnect", "passes").forEach(key -> spark().conf().unset("spark.coral." + key));
        assertThat(Inside.sharedMemoryInUse()).isZero();
        manager.destroyForcibly().waitFor();
    }

    @ParameterizedTest
    @ValueSource(strings = {"auto", "jobs"})
    void shouldGiveTheSameClustersWhenManagersAreKilledUnderTheFit(String passes) throws Exception {
        spark().conf().set("spark.coral.passes", passes);
        Dataset<Row> data = SparkTest.vectors(SparkTest.blobs(8_000, 16, 8, 1), 3).cache();
        Supplier<Vector[]> fit = () -> {
            KMeans kMeans = new KMeans();
            kMeans.setK(8).setSeed(3).setMaxIter(100).setTol(0).setInitSteps(5);
            return kMeans.fit(data).clusterCenters();
        };
        assertThat(killingManagersUnder(fit)).isEqualTo(fit.get());
        data.unpersist();
    }

    @Test
    void shouldGiveTheSameCoefficientsWhenManagersAreKilledUnderTheFit() throws Exception {
        Random random = new Random(5);
        List<Row> rows = new ArrayList<>();
        for (Vector features : SparkTest.blobs(8_000, 16, 8, 2)) {
            rows.add(RowFactory.create((double) random.nextInt(3), features));
        }
        Dataset<Row> data = SparkTest.frame(rows,
            new StructType().add("label", DataTypes.DoubleType).add("features", new VectorUDT()), 3).cache();
        Supplier<List<double[]>> fit = () -> {
            LogisticRegressionModel model = new LogisticRegression().setMaxIter(50).setTol(0).fit(data);
            return List.of(model.coefficientMatrix().toArray(), model.interceptVector().toArray());
        };
        List<double[]> disturbed = killingManagersUnder(fit);
        assertThat(disturbed).usingRecursiveComparison().isEqualTo(fit.get());
        data.unpersist();
    }

    /** Kills one as soon as something has been shipped to it, and the next a little later. */
    private <T> T killingManagersUnder(Supplier<T> fit) throws Exception {
        CompletableFuture<T> fitted = CompletableFuture.supplyAsync(fit);
        int kills = 0;
        while (!fitted.isDone() && kills < 2) {
            if (SealedMemory.liveBytes() > 0) {
                manager.destroyForcibly().waitFor();
                kills++;
                startManager();
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20L + 100L * kills));
        }
        T result = fitted.get(120, TimeUnit.SECONDS);
        assertThat(kills).as("managers killed while the fit went on").isPositive();
        return result;
    }

    private void startManager() throws IOException {
        List<String> command = new ArrayList<>(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1", "-Xmx512m",
            "-cp", System.getProperty("java.class.path"), Main.class.getName(), "node", "--root", root.toString(),
            "--devices", "host", "--memory-limit", "512MB"));
        Path log = Files.createTempFile("coral-manager", ".log");
        log.toFile().deleteOnExit();
        manager = new ProcessBuilder(command).redirectError(log.toFile()).start();
        BufferedReader output = manager.inputReader();
        for (String line; (line = output.readLine()) != null; ) {
            if (line.startsWith("listening on ")) {
                return;
            }
        }
        throw new AssertionError("manager ended without listening: " + Files.readString(log));
    }
}
