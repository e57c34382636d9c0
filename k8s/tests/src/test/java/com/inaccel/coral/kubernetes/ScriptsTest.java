package com.inaccel.coral.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The scripts of {@code k8s/}: the one for real clusters against a kubectl that plays one. */
@Timeout(120)
class ScriptsTest {
    private static final Path K8S = Path.of(System.getProperty("basedir")).resolve("..").normalize();
    private static final String GOOD = "result: {\"example\": \"kmeans\", \"ok\": true, \"fits\": 9, \"differentFits\": 0, "
        + "\"executors\": 3, \"executorsWanted\": 0, \"differenceFromMllib\": 1.5e-14, \"limit\": 1.00e-06, \"fallbacks\": 0, "
        + "\"model\": \"abc\"}";
    /** Answers as a cluster of two nodes, and writes down what it was asked and given. */
    private static final String KUBECTL = """
        #!/usr/bin/env bash
        printf '%s\\n' "$*" >>"$CALLS"
        case "$*" in
            version | 'rollout status'*) ;;
            'get namespace '*) [[ ${EXISTS:-} == "$3" ]] ;;
            kustomize*) echo 'image: coral-manager:0.1.0' ;;
            *'apply -f -' | *'delete '*'-f -') sed 's/^/< /' >>"$CALLS" ;;
            *'get daemonset'*) printf 2 ;;
            'get nodes'*) printf '2\\n2\\n' ;;
            *'get pod '*phase*) printf '%s' "${PHASE:-Succeeded}" ;;
            *logs*) printf 'kmeans: …\\nfit 1: 0.3 s\\n%s\\n' "$RESULT" ;;
            *'get pods -l spark-role=executor'*) printf 'exec-1 node-1\\nexec-2 node-2\\n' ;;
        esac
        """;

    @TempDir
    Path directory;

    /** What the script printed, both ways. */
    private record Run(int exitCode, String printed, List<String> calls) { }

    static Stream<Path> scripts() throws IOException {
        try (Stream<Path> files = Files.walk(K8S)) {
            return files.filter(file -> !file.startsWith(K8S.resolve("tests"))).filter(Files::isExecutable)
                .filter(Files::isRegularFile).sorted().toList().stream();
        }
    }

    @BeforeEach
    void playACluster() throws IOException {
        Path kubectl = directory.resolve("kubectl");
        Files.writeString(kubectl, KUBECTL);
        assertThat(kubectl.toFile().setExecutable(true)).isTrue();
    }

    @ParameterizedTest
    @MethodSource("scripts")
    void shouldHoldScriptsThatParse(Path script) throws Exception {
        assertThat(run(List.of("bash", "-n", script.toString()), Map.of()).exitCode()).isZero();
    }

    @ParameterizedTest
    @MethodSource("scripts")
    void shouldHoldScriptsWithoutTheUsualMistakes(Path script) throws Exception {
        boolean there = Stream.of(System.getenv("PATH").split(":")).anyMatch(path -> Files.isExecutable(Path.of(path, "shellcheck")));
        assumeThat(there).as("shellcheck is on the PATH: apt-get install shellcheck").isTrue();
        Run check = run(List.of("shellcheck", script.toString()), Map.of());
        assertThat(check.exitCode()).as(check.printed()).isZero();
    }

    @Test
    void shouldProveAClusterAndRemoveEverything() throws Exception {
        Run run = prove(Map.of("RESULT", GOOD));
        assertThat(run.exitCode()).as(run.printed()).isZero();
        assertThat(run.printed()).doesNotContain("FAILED").contains("nodes offer xilinx.com/fpga", "kmeans: model is MLlib's",
            "logistic: same bits in every fit", "differs by 1.5e-14 of its greatest number, allowed 1.00e-06");
        assertThat(run.calls()).contains("< image: registry/manager:1", "<       image: registry/spark:1",
            "<         - --class=com.inaccel.coral.examples.KMeansExample",
            "<         - --class=com.inaccel.coral.examples.LogisticRegressionExample",
            "<   name: coral-e2e", "<     pod-security.kubernetes.io/enforce: restricted",
            "-n coral-e2e delete pod exec-1 --wait=false");
        assertThat(run.calls()).anyMatch(call -> call.startsWith("-n coral-system delete pod") && call.contains("spec.nodeName=node-1"));
        assertThat(run.calls().stream().filter(call -> call.startsWith("delete --ignore-not-found"))).hasSize(2);
    }

    @Test
    void shouldFailWhereAModelIsAnother() throws Exception {
        Run run = prove(Map.of("RESULT", GOOD.replace("\"ok\": true", "\"ok\": false")));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.printed()).containsPattern("kmeans: model is MLlib's +FAILED");
        assertThat(run.calls().stream().filter(call -> call.startsWith("delete --ignore-not-found"))).hasSize(2);
    }

    @Test
    void shouldFailWhereADriverFails() throws Exception {
        Run run = prove(Map.of("RESULT", "", "PHASE", "Failed"));
        assertThat(run.exitCode()).isEqualTo(1);
        assertThat(run.printed()).containsPattern("kmeans: driver ends well +FAILED +phase Failed");
    }

    @Test
    void shouldTouchNothingThatWasThereBefore() throws Exception {
        Run run = prove(Map.of("RESULT", GOOD, "EXISTS", "coral-system"));
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.printed()).contains("namespace coral-system exists");
        assertThat(run.calls()).noneMatch(call -> call.contains("apply") || call.contains("delete"));
    }

    @Test
    void shouldAskForBothImages() throws Exception {
        Run run = run(List.of(K8S.resolve("e2e/run.sh").toString(), "--spark-image", "x"), Map.of("RESULT", GOOD));
        assertThat(run.exitCode()).isEqualTo(2);
        assertThat(run.printed()).contains("name both images").contains("usage:");
        assertThat(run.calls()).isEmpty();
    }

    private Run prove(Map<String, String> cluster) throws Exception {
        return run(List.of(K8S.resolve("e2e/run.sh").toString(), "--manager-image", "registry/manager:1", "--spark-image",
            "registry/spark:1", "--seconds", "1", "--patience", "5"), cluster);
    }

    private Run run(List<String> command, Map<String, String> environment) throws Exception {
        Path calls = directory.resolve("calls");
        ProcessBuilder builder = new ProcessBuilder(new ArrayList<>(command)).redirectErrorStream(true);
        builder.environment().putAll(environment);
        builder.environment().put("PATH", directory + ":" + System.getenv("PATH"));
        builder.environment().put("CALLS", calls.toString());
        Process process = builder.start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int exitCode = process.waitFor();
        return new Run(exitCode, printed, Files.exists(calls) ? Files.readAllLines(calls) : List.of());
    }
}
