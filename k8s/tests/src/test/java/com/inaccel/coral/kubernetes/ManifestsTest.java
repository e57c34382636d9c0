package com.inaccel.coral.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.functions.FunctionConfig;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is under {@code k8s/}, as an API server would take it, and as we promise it to be. */
class ManifestsTest {
    private static final Path K8S = Path.of(System.getProperty("basedir")).resolve("..").normalize();

    static Stream<Path> userFiles() {
        return Stream.of("spark-operator", "spark-submit").flatMap(directory ->
            Stream.of(K8S.resolve(directory).toFile().listFiles((in, name) -> name.endsWith(".yaml"))))
            .map(File::toPath).sorted();
    }

    @ParameterizedTest
    @ValueSource(strings = {"emulated", "xilinx", "intel"})
    void shouldRenderOverlaysThatAnApiServerTakes(String overlay) throws IOException {
        List<JsonNode> resources = rendered(overlay);
        resources.forEach(Manifests::check);
        assertThat(resources).extracting(resource -> resource.path("kind").asText()).containsExactlyInAnyOrder("Namespace",
            "PriorityClass", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet");
    }

    @Test
    void shouldRenderAPodMonitorWhereItIsAskedFor() throws IOException {
        Path overlay = Files.createDirectories(Path.of(System.getProperty("basedir"), "target", "monitored"));
        Files.writeString(overlay.resolve("kustomization.yaml"), """
            namespace: coral-system
            resources: [../../../coral/overlays/emulated]
            components: [../../../coral/components/podmonitor]
            """);
        List<JsonNode> resources = Manifests.render(overlay);
        resources.forEach(Manifests::check);
        JsonNode monitor = only(resources, "PodMonitor");
        JsonNode template = only(resources, "DaemonSet").at("/spec/template");
        assertThat(monitor.at("/metadata/namespace").asText()).isEqualTo("coral-system");
        monitor.at("/spec/selector/matchLabels").fields().forEachRemaining(label ->
            assertThat(template.at("/metadata/labels").path(label.getKey())).isEqualTo(label.getValue()));
        assertThat(template.at("/spec/containers/0/ports")).anySatisfy(port ->
            assertThat(port.path("name")).isEqualTo(monitor.at("/spec/podMetricsEndpoints/0/port")));
    }

    @ParameterizedTest
    @MethodSource("userFiles")
    void shouldHoldApplicationsThatAnApiServerTakes(Path file) throws IOException {
        List<JsonNode> resources = Manifests.read(file);
        assertThat(resources).isNotEmpty().allSatisfy(Manifests::check);
    }

    @ParameterizedTest
    @CsvSource({"deployment,Deployment Service HorizontalPodAutoscaler", "knative,Service", "kubeless,Function"})
    void shouldHoldFunctionsThatAnApiServerTakes(String file, String kinds) throws IOException {
        List<JsonNode> resources = function(file);
        assertThat(resources).allSatisfy(Manifests::check);
        assertThat(resources).extracting(resource -> resource.path("kind").asText()).containsExactly(kinds.split(" "));
    }

    @ParameterizedTest
    @CsvSource({"deployment,/spec/template/spec/containers/0,readynessProbe", "knative,/spec/template/spec,concurrency",
        "knative,/spec,replicas", "knative,/spec/template/spec/containers/0,resource", "kubeless,/spec,memory",
        "kubeless,/spec/service,port", "kubeless,/spec/deployment/spec/template/spec,container"})
    void shouldRefuseFunctionsThatAnApiServerRefuses(String file, String at, String field) throws IOException {
        assertRefused(function(file).get(0), at, field);
    }

    @ParameterizedTest
    @ValueSource(strings = {"deployment", "knative"})
    void shouldConfigureFunctionsWithWhatTheirHostUnderstands(String file) throws IOException {
        JsonNode pod = function(file).get(0).at("/spec/template/spec");
        JsonNode container = pod.at("/containers/0");
        assertThat(container.at("/resources/limits").path("xilinx.com/fpga").asInt()).isEqualTo(1);
        assertThat(container.at("/readinessProbe/httpGet/path").asText()).isEqualTo("/readyz");
        Map<String, String> environment = new TreeMap<>();
        container.path("env").forEach(one -> environment.put(one.path("name").asText(), one.path("value").asText()));
        FunctionConfig config = FunctionConfig.of(environment); // throws where a variable is none of ours
        if (pod.has("timeoutSeconds")) { // Knative's: the function says first what is wrong
            assertThat(config.duration(FunctionConfig.Key.TIMEOUT).toSeconds()).isLessThan(pod.path("timeoutSeconds").asLong());
        }
    }

    @Test
    void shouldAskForAnFpgaByKubelessToo() throws IOException {
        assertThat(function("kubeless").get(0).at("/spec/deployment/spec/template/spec/containers/0/resources/limits")
            .path("xilinx.com/fpga").asInt()).isEqualTo(1);
    }

    private static List<JsonNode> function(String file) throws IOException {
        return Manifests.read(K8S.resolve("functions").resolve(file + ".yaml"));
    }

    @Test
    void shouldHoldAClusterThatEksctlTakes() throws IOException {
        JsonNode cluster = Manifests.read(K8S.resolve("eks/cluster.yaml")).get(0);
        assertRefused(cluster, "/managedNodeGroups/1", "instanceTyp");
    }

    @Test
    void shouldRefuseWhatAnApiServerRefuses() throws IOException {
        JsonNode daemonSet = only(rendered("emulated"), "DaemonSet");
        assertRefused(daemonSet, "/spec/template/spec/containers/0/securityContext", "priviledged");
        assertRefused(daemonSet, "/spec", "updateStragety");
        JsonNode application = Manifests.read(K8S.resolve("spark-operator/kmeans.yaml")).get(0);
        assertRefused(application, "/spec/executor", "memoryOverHead");
        assertRefused(application, "/spec/executor/template/spec/containers/0", "resource");
        JsonNode monitor = Manifests.read(K8S.resolve("coral/components/podmonitor/podmonitor.yaml")).get(0);
        assertRefused(monitor, "/spec/podMetricsEndpoints/0", "paht");
        ((ObjectNode) application.at("/spec/executor")).put("cores", "two");
        assertThatThrownBy(() -> Manifests.check(application)).isInstanceOf(AssertionError.class).hasMessageContaining("cores");
        ((ObjectNode) daemonSet.at("/spec")).remove("selector");
        assertThatThrownBy(() -> Manifests.check(daemonSet)).isInstanceOf(AssertionError.class).hasMessageContaining("selector");
    }

    /** With a field more, which is taken away again. */
    private static void assertRefused(JsonNode resource, String at, String field) {
        Manifests.check(resource);
        ObjectNode object = (ObjectNode) resource.at(at);
        object.put(field, "x");
        assertThatThrownBy(() -> Manifests.check(resource)).isInstanceOf(AssertionError.class).hasMessageContaining(field);
        object.remove(field);
    }

    @ParameterizedTest
    @ValueSource(strings = {"emulated", "xilinx", "intel"})
    void shouldConfigureTheManagerWithKeysThatItHas(String overlay) throws IOException {
        Map<String, String> environment = new TreeMap<>();
        only(rendered(overlay), "ConfigMap").path("data").fields()
            .forEachRemaining(entry -> environment.put(entry.getKey(), entry.getValue().asText()));
        container(overlay).path("env").forEach(variable -> environment.put(variable.path("name").asText(),
            variable.path("value").asText("node-1")));
        EngineConfig config = EngineConfig.load(Optional.empty(), environment, new Properties(), Map.of());
        long limit = bytes(container(overlay).at("/resources/limits/memory").asText());
        assertThat(config.bytes(EngineConfig.Key.MEMORY_LIMIT)).as("shared memory, with 1 GiB beside it").isLessThanOrEqualTo(limit - (1L << 30));
    }

    private static long bytes(String quantity) {
        assertThat(quantity).endsWith("Gi");
        return Long.parseLong(quantity.substring(0, quantity.length() - 2)) << 30;
    }

    @Test
    void shouldRunWithoutAnyPrivilegeWhereDevicesAreEmulated() throws IOException {
        JsonNode context = container("emulated").path("securityContext");
        assertThat(context.path("privileged").asBoolean(true)).isFalse();
        assertThat(context.path("allowPrivilegeEscalation").asBoolean(true)).isFalse();
        assertThat(hostPaths("emulated")).containsExactlyInAnyOrder("/var/lib/kubelet/device-plugins",
            "/var/lib/kubelet/pod-resources", "/run/coral");
    }

    @ParameterizedTest
    @ValueSource(strings = {"emulated", "xilinx", "intel"})
    void shouldConfineTheManager(String overlay) throws IOException {
        JsonNode container = container(overlay);
        assertThat(container.at("/securityContext/readOnlyRootFilesystem").asBoolean()).isTrue();
        assertThat(container.at("/securityContext/capabilities/drop/0").asText()).isEqualTo("ALL");
        JsonNode pod = only(rendered(overlay), "DaemonSet").at("/spec/template/spec");
        assertThat(pod.at("/securityContext/seccompProfile/type").asText()).isEqualTo("RuntimeDefault");
        assertThat(pod.path("hostNetwork").asBoolean() || pod.path("hostPID").asBoolean() || pod.path("hostIPC").asBoolean())
            .isFalse();
        // The directory that pods' sockets lie in is the same on the node and in the manager: it tells the kubelet its own paths.
        assertThat(container.path("volumeMounts")).anySatisfy(mount -> {
            assertThat(mount.path("name").asText()).isEqualTo("coral");
            assertThat(mount.path("mountPath").asText()).isEqualTo("/run/coral");
        });
        JsonNode rules = only(rendered(overlay), "ClusterRole").path("rules");
        assertThat(rules).hasSize(1);
        assertThat(rules.get(0).toString()).isEqualTo("{\"apiGroups\":[\"\"],\"resources\":[\"nodes\"],\"verbs\":[\"get\",\"patch\"]}");
    }

    /** What the "restricted" pod security standard asks for. */
    @ParameterizedTest
    @MethodSource("userFiles")
    void shouldAskNothingOfUsersPodsThatIsNotForEveryone(Path file) throws IOException {
        List<JsonNode> pods = new ArrayList<>();
        for (JsonNode resource : Manifests.read(file)) {
            switch (resource.path("kind").asText()) {
                case "Pod" -> pods.add(resource.path("spec"));
                case "SparkApplication" -> {
                    pods.add(resource.at("/spec/driver/template/spec"));
                    pods.add(resource.at("/spec/executor/template/spec"));
                }
                default -> { }
            }
        }
        assertThat(pods).allSatisfy(pod -> {
            assertThat(pod.at("/securityContext/runAsNonRoot").asBoolean()).isTrue();
            assertThat(pod.at("/securityContext/runAsUser").asInt()).isEqualTo(185);
            assertThat(pod.at("/securityContext/seccompProfile/type").asText()).isEqualTo("RuntimeDefault");
            assertThat(pod.has("volumes") || pod.has("hostNetwork") || pod.has("hostPID") || pod.has("hostIPC")).isFalse();
            assertThat(pod.path("containers")).hasSize(1);
            JsonNode container = pod.path("containers").get(0);
            assertThat(container.path("name").asText()).matches("spark-kubernetes-(driver|executor)");
            assertThat(container.at("/securityContext/allowPrivilegeEscalation").asBoolean(true)).isFalse();
            assertThat(container.at("/securityContext/capabilities/drop/0").asText()).isEqualTo("ALL");
            assertThat(container.path("resources").has("limits")).as("only executors have FPGAs")
                .isEqualTo(container.path("name").asText().endsWith("-executor"));
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"kmeans", "logistic-regression"})
    void shouldRunExamplesThatThereAre(String application) throws IOException {
        JsonNode spec = Manifests.read(K8S.resolve("spark-operator/" + application + ".yaml")).get(0).path("spec");
        assertThat(K8S.resolve("../spark-coral/src/main/java").resolve(spec.path("mainClass").asText().replace('.', '/') + ".java"))
            .exists();
        assertThat(spec.path("mainApplicationFile").asText()).endsWith("/spark-coral_2.12-0.1.0-all.jar");
    }

    private static List<JsonNode> rendered(String overlay) throws IOException {
        return Manifests.render(K8S.resolve("coral/overlays").resolve(overlay));
    }

    private static JsonNode container(String overlay) throws IOException {
        return only(rendered(overlay), "DaemonSet").at("/spec/template/spec/containers/0");
    }

    private static List<String> hostPaths(String overlay) throws IOException {
        List<String> paths = new ArrayList<>();
        only(rendered(overlay), "DaemonSet").at("/spec/template/spec/volumes").forEach(volume -> {
            if (volume.has("hostPath")) {
                paths.add(volume.at("/hostPath/path").asText());
            }
        });
        return paths;
    }

    private static JsonNode only(List<JsonNode> resources, String kind) {
        return resources.stream().filter(resource -> resource.path("kind").asText().equals(kind)).findFirst().orElseThrow();
    }
}
