package com.inaccel.coral.manager.kubernetes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.Leaks;
import com.inaccel.coral.manager.Version;
import com.inaccel.coral.manager.inventory.NodeDevice;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.fabric8.kubernetes.client.server.mock.KubernetesMockServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import okhttp3.mockwebserver.RecordedRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Labels as an API server takes them, or does not. */
@Timeout(120)
class NodeLabelsTest {
    private static final String NODE = "worker-1";
    private static final EngineConfig CONFIG =
        EngineConfig.of(Map.of("coral.kubernetes.node", NODE, "coral.kubernetes.refresh", "5ms"));

    private final AtomicReference<List<NodeDevice>> devices = new AtomicReference<>(List.of());
    private final AtomicInteger failures = new AtomicInteger();

    @AfterEach
    void nothingIsLeft() {
        Leaks.assertNone();
    }

    private static NodeDevice device(String vendor, String platform, String shell, boolean emulated, boolean usable) {
        return new NodeDevice("id", vendor, platform, shell, "", OptionalInt.empty(), emulated, usable, usable ? "" : "broken");
    }

    private static Map<String, String> ours(String... labels) {
        Map<String, String> all = new HashMap<>(Map.of("coral.inaccel.com/version", Version.text()));
        for (int i = 0; i < labels.length; i += 2) {
            all.put("coral.inaccel.com/" + labels[i], labels[i + 1]);
        }
        return all;
    }

    private static void await(String what, BooleanSupplier condition) {
        Leaks.await(what, Duration.ofSeconds(30), condition);
    }

    @Test
    void shouldSayWhatThereIsThatCanBeUsed() {
        assertThat(NodeLabels.labels(List.of())).isEqualTo(ours("count", "0"));
        assertThat(NodeLabels.labels(List.of(
            device("xilinx", "u250", "xilinx_u250_gen3x16_xdma_shell_4_1", false, true),
            device("xilinx", "u250", "xilinx_u250_gen3x16_xdma_shell_4_1", false, true),
            device("xilinx", "u50", "xilinx_u50_gen3x16_xdma_base_5", false, true),
            device("xilinx", "u50", "another", false, true),
            device("xilinx", "aws-f2", "", false, false),
            device("intel", "", "", true, true)))).isEqualTo(ours("count", "5", "vendor.xilinx", "true", "vendor.intel", "true",
                "platform.xilinx-u250", "true", "platform.xilinx-u50", "true", "platform.intel", "true", "count.xilinx-u250", "2",
                "count.xilinx-u50", "2", "count.intel", "1", "shell.xilinx-u250", "xilinx_u250_gen3x16_xdma_shell_4_1",
                "shell.xilinx-u50", "several", "emulated", "true"));
    }

    @Test
    void shouldWriteNothingThatKubernetesDoesNotTake() {
        NodeLabels.labels(List.of(device("xilinx", "u 250/" + "x".repeat(80), "__" + "s".repeat(100) + "\u00e9", false, true)))
            .forEach((name, value) -> {
                assertThat(name).matches("coral\\.inaccel\\.com/[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?");
                assertThat(value).matches("[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?");
            });
    }

    @ParameterizedTest
    @ValueSource(strings = {"Worker", "-worker", "worker/1", "worker 1", "$(NODE_NAME)"})
    void shouldRefuseANameThatNoNodeHas(String name) {
        assertThatThrownBy(() -> NodeLabels.of(EngineConfig.of(Map.of("coral.kubernetes.node", name)), failures::incrementAndGet))
            .hasMessageContaining("coral.kubernetes.node").hasMessageContaining("spec.nodeName");
    }

    @Nested
    @EnableKubernetesMockClient(https = false, crud = true)
    class WithAnApiServer {
        private KubernetesClient client;

        /** What a merge patch removes this server keeps with a null, unlike a real one. */
        private Map<String, String> labels() {
            Map<String, String> labels = new HashMap<>();
            Map<String, String> kept = client.nodes().withName(NODE).get().getMetadata().getLabels();
            (kept == null ? Map.<String, String>of() : kept).forEach((name, value) -> {
                if (value != null) {
                    labels.put(name, value);
                }
            });
            return labels;
        }

        private void node(Map<String, String> labels) {
            client.nodes().resource(new NodeBuilder().withNewMetadata().withName(NODE).withLabels(labels).endMetadata().build())
                .create();
        }

        @Test
        void shouldLabelTheNodeFollowWhatChangesAndTakeItsLabelsAlong() {
            node(Map.of("kubernetes.io/hostname", NODE));
            devices.set(List.of(device("xilinx", "u250", "", true, true)));
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(devices::get);
                Map<String, String> expected = ours("count", "1", "vendor.xilinx", "true", "platform.xilinx-u250", "true",
                    "count.xilinx-u250", "1", "emulated", "true");
                expected.put("kubernetes.io/hostname", NODE);
                await("labelled", () -> labels().equals(expected));
                devices.set(List.of());
                Map<String, String> none = ours("count", "0");
                none.put("kubernetes.io/hostname", NODE);
                await("what does not hold any more has gone", () -> labels().equals(none));
            }
            assertThat(labels()).isEqualTo(Map.of("kubernetes.io/hostname", NODE));
            assertThat(failures).hasValue(0);
        }

        @Test
        void shouldReplaceWhatAManagerThatWasKilledLeft() {
            Map<String, String> left = ours("count", "7", "platform.intel-pac", "true");
            left.put("mine", "yes");
            node(left);
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(devices::get);
                Map<String, String> expected = ours("count", "0");
                expected.put("mine", "yes");
                await("labelled", () -> labels().equals(expected));
            }
        }

        @Test
        void shouldLabelANodeThatComesLater() {
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(devices::get);
                await("no such node", () -> failures.get() > 0);
                node(Map.of());
                await("labelled", () -> labels().equals(ours("count", "0")));
            }
        }
    }

    @Nested
    @EnableKubernetesMockClient(https = false)
    class WithoutRights {
        private static final String PATH = "/api/v1/nodes/" + NODE;
        private KubernetesClient client;
        private KubernetesMockServer server;

        private void refuse(boolean always) {
            var answer = server.expect().get().withPath(PATH).andReturn(403, new StatusBuilder().withCode(403)
                .withReason("Forbidden").withMessage("nodes \"worker-1\" is forbidden").build());
            if (always) {
                answer.always();
            } else {
                answer.times(3);
            }
        }

        @Test
        void shouldGoOnWithoutLabelsAndCountThat() {
            refuse(/* always= */ true);
            List<Long> asked = new ArrayList<>();
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(() -> {
                    asked.add(System.nanoTime());
                    return devices.get();
                });
                await("tried again and again", () -> failures.get() >= 4);
            }
            assertThat(asked.size()).as("once for each attempt").isGreaterThanOrEqualTo(4);
        }

        @Test
        void shouldRemoveWhatHoldsNoMoreAndLeaveOthersLabelsAlone() throws InterruptedException {
            Node node = new NodeBuilder().withNewMetadata().withName(NODE).addToLabels("coral.inaccel.com/count", "7")
                .addToLabels("coral.inaccel.com/platform.intel-pac", "true").addToLabels("mine", "yes").endMetadata().build();
            server.expect().get().withPath(PATH).andReturn(200, node).always();
            server.expect().patch().withPath(PATH).andReturn(200, node).always();
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(devices::get);
                await("patched", () -> server.getRequestCount() >= 3);
            }
            RecordedRequest request = server.takeRequest();
            while (!request.getMethod().equals("PATCH")) {
                request = server.takeRequest();
            }
            assertThat(request.getHeader("Content-Type")).isEqualTo("application/merge-patch+json");
            assertThat(request.getBody().readUtf8()).startsWith("{\"metadata\":{\"labels\":{").doesNotContain("mine")
                .contains("\"coral.inaccel.com/platform.intel-pac\":null", "\"coral.inaccel.com/count\":\"0\"");
        }

        /** With what it is granted, and nothing more. */
        @Test
        void shouldUseNothingButGetAndPatchOfItsOwnNode() throws InterruptedException {
            refuse(/* always= */ false);
            Node node = new NodeBuilder().withNewMetadata().withName(NODE).endMetadata().build();
            server.expect().get().withPath(PATH).andReturn(200, node).always();
            server.expect().patch().withPath(PATH).andReturn(200, node).always();
            try (NodeLabels labels = NodeLabels.of(CONFIG, client::getConfiguration, failures::incrementAndGet)) {
                labels.start(devices::get);
                await("tried until it was let", () -> failures.get() == 3 && server.getRequestCount() >= 5);
            }
            List<String> requests = new ArrayList<>();
            for (int i = server.getRequestCount(); i > 0; i--) {
                requests.add(server.takeRequest().getMethod());
            }
            assertThat(requests).startsWith("GET", "GET", "GET", "GET").contains("PATCH").containsOnly("GET", "PATCH");
        }
    }
}
