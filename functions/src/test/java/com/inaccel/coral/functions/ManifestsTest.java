package com.inaccel.coral.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.kubernetes.client.openapi.JSON;
import io.kubernetes.client.openapi.models.V1Deployment;
import io.kubernetes.client.openapi.models.V1PodTemplateSpec;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1ServiceSpec;
import io.kubernetes.client.openapi.models.V2HorizontalPodAutoscaler;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is under {@code k8s/functions}, as an API server would take it, with fields that it does not know refused. */
class ManifestsTest {
    private static final Path DIRECTORY = Path.of(System.getProperty("basedir"), "..", "k8s", "functions");
    private static final ObjectMapper YAML =
        new YAMLMapper(YAMLFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build());
    private static final Map<String, Class<?>> MODELS = Map.of("apps/v1/Deployment", V1Deployment.class, "v1/Service",
        V1Service.class, "autoscaling/v2/HorizontalPodAutoscaler", V2HorizontalPodAutoscaler.class);

    @Test
    void shouldHoldManifestsThatAnApiServerTakes() throws Exception {
        assertThat(kinds("deployment.yaml")).containsExactly("Deployment", "Service", "HorizontalPodAutoscaler");
        assertThat(kinds("knative.yaml")).containsExactly("Service");
        assertThat(kinds("kubeless.yaml")).containsExactly("Function");
    }

    @Test
    void shouldRefuseFieldsThatNobodyKnows() throws Exception {
        for (String[] wrong : new String[][] {{"deployment.yaml", "/spec/template/spec/containers/0", "readynessProbe"},
            {"knative.yaml", "/spec/template/spec", "concurrency"}, {"knative.yaml", "/spec", "replicas"},
            {"knative.yaml", "/spec/template/spec/containers/0", "resource"}, {"kubeless.yaml", "/spec", "memory"}}) {
            JsonNode resource = read(wrong[0]).get(0);
            ((ObjectNode) resource.at(wrong[1])).put(wrong[2], "x");

            assertThatThrownBy(() -> check(resource)).as(wrong[2]).isInstanceOfAny(AssertionError.class,
                IllegalArgumentException.class).hasMessageContaining(wrong[2]);
        }
    }

    @Test
    void shouldAskForAnFpgaAndForWhatTheHostUnderstands() throws Exception {
        for (String file : List.of("deployment.yaml", "knative.yaml")) {
            JsonNode container = read(file).get(0).at("/spec/template/spec/containers/0");
            assertThat(container.at("/resources/limits").get("xilinx.com/fpga").asInt()).isEqualTo(1);
            assertThat(container.at("/readinessProbe/httpGet/path").asText()).isEqualTo("/readyz");
            Map<String, String> environment = new HashMap<>();
            container.get("env").forEach(one -> environment.put(one.get("name").asText(), one.get("value").asText()));
            FunctionConfig.of(environment); // throws where a variable is none of ours
        }
        JsonNode knative = read("knative.yaml").get(0).at("/spec/template/spec");
        assertThat(FunctionConfig.of(Map.of("FUNCTION_TIMEOUT", value(knative, "FUNCTION_TIMEOUT")))
            .duration(FunctionConfig.Key.TIMEOUT).toSeconds()).isLessThan(knative.get("timeoutSeconds").asLong());
        assertThat(read("kubeless.yaml").get(0).at("/spec/deployment/spec/template/spec/containers/0/resources/limits")
            .get("xilinx.com/fpga").asInt()).isEqualTo(1);
    }

    private static String value(JsonNode spec, String name) {
        for (JsonNode one : spec.at("/containers/0/env")) {
            if (one.get("name").asText().equals(name)) {
                return one.get("value").asText();
            }
        }
        throw new AssertionError("not set: " + name);
    }

    private static List<String> kinds(String file) throws IOException {
        List<String> kinds = new ArrayList<>();
        for (JsonNode resource : read(file)) {
            check(resource);
            kinds.add(resource.get("kind").asText());
        }
        return kinds;
    }

    private static List<JsonNode> read(String file) throws IOException {
        return YAML.readerFor(JsonNode.class).<JsonNode>readValues(DIRECTORY.resolve(file).toFile()).readAll();
    }

    private static void check(JsonNode original) {
        ObjectNode resource = original.deepCopy();
        String kind = resource.get("apiVersion").asText() + "/" + resource.get("kind").asText();
        switch (kind) {
            case "serving.knative.dev/v1/Service" -> checkKnative(resource);
            case "kubeless.io/v1beta1/Function" -> checkKubeless(resource);
            default -> as(resource, MODELS.get(kind));
        }
    }

    /** Its revisions are pod templates with a few fields more. */
    private static void checkKnative(ObjectNode resource) {
        only(resource, "apiVersion", "kind", "metadata", "spec");
        only(resource.get("spec"), "template", "traffic");
        ObjectNode spec = (ObjectNode) resource.at("/spec/template/spec");
        spec.remove(List.of("containerConcurrency", "timeoutSeconds", "idleTimeoutSeconds", "responseStartTimeoutSeconds"));
        as(withPorts(resource.at("/spec/template")), V1PodTemplateSpec.class);
    }

    /** Knative fills in the ports of probes. */
    private static JsonNode withPorts(JsonNode template) {
        for (String probe : List.of("readinessProbe", "livenessProbe")) {
            ((ObjectNode) template.at("/spec/containers/0/" + probe + "/httpGet")).put("port", 8080);
        }
        return template;
    }

    private static void checkKubeless(ObjectNode resource) {
        only(resource, "apiVersion", "kind", "metadata", "spec");
        only(resource.get("spec"), "runtime", "handler", "timeout", "function", "function-content-type", "checksum", "deps",
            "service", "deployment", "horizontalPodAutoscaler");
        as(resource.at("/spec/service"), V1ServiceSpec.class);
        as(resource.at("/spec/deployment/spec/template"), V1PodTemplateSpec.class);
    }

    private static void only(JsonNode object, String... fields) {
        List<String> names = new ArrayList<>();
        object.fieldNames().forEachRemaining(names::add);
        assertThat(names).isSubsetOf(fields);
    }

    private static void as(JsonNode resource, Class<?> model) {
        JSON.deserialize(resource.toString(), model);
    }
}
