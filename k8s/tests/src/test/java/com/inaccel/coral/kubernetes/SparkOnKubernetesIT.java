package com.inaccel.coral.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.manager.kubernetes.Kubelet;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Spark's own Kubernetes scheduler against an API server and a node that are this test's, whose executors compute on the FPGAs
 * of a real manager, which they get through its real device plugin. All of it runs from what the images hold.
 */
@Timeout(600)
class SparkOnKubernetesIT {
    private static final Path PROJECT = Path.of(System.getProperty("basedir")).resolve("../..").normalize();
    private static final String RESOURCE = "xilinx.com/fpga";
    private static final Duration PATIENCE = Duration.ofMinutes(4);
    /** A driver with these cannot load a native library of Coral's. */
    private static final String NO_NATIVE_CODE = "-Djna.nosys=true -Djna.noclasspath=true -Djna.nounpack=true";
    /** For JVMs that live for seconds. */
    private static final String QUICK = "-XX:TieredStopAtLevel=1";

    @TempDir
    static Path images;

    @TempDir
    Path directory;

    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private ApiServer server;
    private KubernetesClient api;
    private Kubelet kubelet;
    private Node node;

    @BeforeAll
    static void layOutImages() throws Exception {
        Process dist = new ProcessBuilder(PROJECT.resolve("k8s/images/dist.sh").toString(), "--trees", images.toString())
            .inheritIO().start();
        assertThat(dist.waitFor()).isZero();
    }

    @BeforeEach
    void start() throws IOException {
        server = opened(new ApiServer());
        api = opened(server.client());
        kubelet = opened(new Kubelet(directory));
        opened(ManagerProcess.start(images.resolve("coral-manager"), directory.resolve("manager.log"),
            "--root", directory.resolve("coral").toString(), "--emulate", "xilinx/u250:2", "--memory-limit", "512MB",
            "--emulate-programming", "1ms", "--kubernetes-plugins", kubelet.plugins().toString(),
            "--kubernetes-pods", kubelet.podsSocket().toString(), "--kubernetes-grace", "1s"));
        node = opened(new Node(api, kubelet, Files.createDirectory(directory.resolve("node")), images.resolve("coral-spark")));
    }

    private <T extends AutoCloseable> T opened(T one) {
        open.push(one);
        return one;
    }

    /** In reverse, and all of them. */
    @AfterEach
    void closeAll() throws Exception {
        AutoCloseable first = open.pollLast();
        if (first != null) {
            try (first) {
                closeAll();
            }
        }
    }

    @Test
    void shouldClusterOnFpgasOfExecutorsWhenTheDriverIsOutside() throws Exception {
        JsonNode local = fitLocally("KMeansExample");
        Process submit = submit("KMeansExample", "--deploy-mode", "client", "--conf", "spark.driver.host=127.0.0.1",
            "--driver-java-options", NO_NATIVE_CODE + " " + QUICK, "--conf", "spark.dynamicAllocation.enabled=true",
            "--conf", "spark.dynamicAllocation.shuffleTracking.enabled=true",
            "--conf", "spark.dynamicAllocation.minExecutors=2", "--conf", "spark.dynamicAllocation.maxExecutors=2",
            "--conf", "spark.kubernetes.executor.podTemplateFile=" + PROJECT.resolve("k8s/spark-submit/executor.yaml"));
        try {
            killAnExecutorDuring(submit, directory.resolve("submit.log"));
            requireSameModel(submit, directory.resolve("submit.log"), local);
        } finally {
            submit.destroyForcibly().waitFor();
        }
    }

    @Test
    void shouldClassifyOnFpgasThatSparkAsksForWhenTheDriverIsAPod() throws Exception {
        JsonNode local = fitLocally("LogisticRegressionExample");
        Process submit = submit("LogisticRegressionExample", "--deploy-mode", "cluster", "--name", "logistic",
            "--conf", "spark.kubernetes.driver.master=" + server.url(),
            "--conf", "spark.kubernetes.driver.podTemplateFile=" + PROJECT.resolve("k8s/spark-submit/driver.yaml"),
            "--conf", "spark.kubernetes.driver.pod.name=logistic-driver", "--conf", "spark.driver.memory=700m",
            "--conf", "spark.driver.extraJavaOptions=" + NO_NATIVE_CODE + " " + QUICK, "--conf", "spark.executor.instances=2",
            "--conf", "spark.executor.resource.fpga.amount=1", "--conf", "spark.executor.resource.fpga.vendor=xilinx.com",
            "--conf", "spark.executor.resource.fpga.discoveryScript=" + images.resolve("coral-spark/bin/fpga-discovery.sh"));
        try {
            killAnExecutorDuring(submit, node.log("logistic-driver"));
            requireSameModel(submit, node.log("logistic-driver"), local);
        } finally {
            submit.destroyForcibly().waitFor();
        }
    }

    private Process submit(String example, String... options) throws IOException {
        return spark("submit.log", example, Stream.concat(Stream.of("--master", "k8s://" + server.url(),
            "--conf", "spark.kubernetes.container.image=coral-spark", "--conf", "spark.executor.memory=700m", "--conf", "spark.kubernetes.allocation.batch.delay=200ms",
            "--conf", "spark.kubernetes.executor.eventProcessingInterval=200ms",
            "--conf", "spark.kubernetes.report.interval=200ms", "--conf", "spark.executor.extraJavaOptions=" + QUICK,
            // The mock loses a watch now and then.
            "--conf", "spark.kubernetes.executor.apiPollingInterval=1s"), Stream.of(options)).toList(),
            "--executors=3", "--seconds=" + PATIENCE.toSeconds());
    }

    /** What the same data gives by an engine inside of one process. */
    private JsonNode fitLocally(String example) throws Exception {
        Process fit = spark("local.log", example,
            List.of("--master", "local[2]", "--conf", "spark.coral.address=embedded:", "--driver-java-options", QUICK));
        assertThat(fit.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        return result(directory.resolve("local.log"));
    }

    private Process spark(String log, String example, List<String> options, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(images.resolve("coral-spark/bin/spark-submit").toString()));
        command.addAll(options);
        command.addAll(List.of("--conf", "spark.ui.enabled=false", "--class", "com.inaccel.coral.examples." + example,
            "local://" + images.resolve("coral-spark/jars/spark-coral_2.12-0.1.0-all.jar"), "--rows=6000", "--features=8",
            "--k=3", "--partitions=3", "--iterations=5"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true)
            .redirectOutput(directory.resolve(log).toFile());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().keySet().removeIf(name -> name.startsWith("CORAL_") || name.startsWith("SPARK_"));
        return builder.start();
    }

    private void killAnExecutorDuring(Process submit, Path driverLog) {
        await("first fit", submit, () -> lines(driverLog).stream().anyMatch(line -> line.startsWith("fit 1:")));
        List<String> executors = node.running("").stream().filter(pod -> pod.contains("-exec-")).toList();
        assertThat(executors).hasSize(2);
        assertThat(kubelet.free(RESOURCE)).as("FPGAs that are left").isEmpty();
        node.kill(executors.get(0));
    }

    private void requireSameModel(Process submit, Path driverLog, JsonNode local) throws Exception {
        assertThat(submit.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).as(logs()).isTrue();
        JsonNode result = result(driverLog);
        assertThat(submit.exitValue()).as(logs()).isZero();
        assertThat(result.get("ok").asBoolean()).as(result.toString()).isTrue();
        assertThat(result.get("executors").asInt()).as(result.toString()).isGreaterThanOrEqualTo(3);
        assertThat(result.get("fallbacks").asInt()).isZero();
        assertThat(result.get("model")).as("bits of the model").isEqualTo(local.get("model"));
        assertThat(lines(driverLog)).filteredOn(line -> line.startsWith("fit "))
            .allMatch(line -> line.contains("address=unix:" + directory) && line.contains("xilinx-u250-"));
        assertThat(kubelet.allocations()).isGreaterThanOrEqualTo(3);
        await("pods to be gone", submit, () -> kubelet.free(RESOURCE).size() == 2);
        await("allocations to be collected", submit, () -> allocations().isEmpty());
    }

    private List<String> allocations() {
        try (Stream<Path> all = Files.list(directory.resolve("coral/allocations"))) {
            return all.map(Path::toString).toList();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private JsonNode result(Path log) {
        return lines(log).stream().filter(line -> line.startsWith("result: ")).findFirst().map(line -> {
            try {
                return new ObjectMapper().readTree(line.substring("result: ".length()));
            } catch (IOException e) {
                throw new AssertionError(line, e);
            }
        }).orElseThrow(() -> new AssertionError("no result in " + log + logs()));
    }

    private String logs() {
        return node.logs() + "\n--- submit.log\n" + String.join("\n", lines(directory.resolve("submit.log")))
            + "\n--- manager.log\n" + String.join("\n", lines(directory.resolve("manager.log")));
    }

    private static List<String> lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file) : List.of();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void await(String what, Process submit, BooleanSupplier condition) {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            boolean goesOn = System.nanoTime() < deadline && (submit.isAlive() || submit.exitValue() == 0);
            assertThat(goesOn).as("waiting for " + what + logs()).isTrue();
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }
}
