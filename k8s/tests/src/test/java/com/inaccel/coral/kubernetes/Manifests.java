package com.inaccel.coral.kubernetes;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion.VersionFlag;
import com.networknt.schema.ValidationMessage;
import io.kubernetes.client.openapi.JSON;
import io.kubernetes.client.openapi.models.V1ClusterRole;
import io.kubernetes.client.openapi.models.V1ClusterRoleBinding;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1DaemonSet;
import io.kubernetes.client.openapi.models.V1Deployment;
import io.kubernetes.client.openapi.models.V1Namespace;
import io.kubernetes.client.openapi.models.V1Pod;
import io.kubernetes.client.openapi.models.V1PodTemplateSpec;
import io.kubernetes.client.openapi.models.V1PriorityClass;
import io.kubernetes.client.openapi.models.V1Role;
import io.kubernetes.client.openapi.models.V1RoleBinding;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1ServiceAccount;
import io.kubernetes.client.openapi.models.V1ServiceSpec;
import io.kubernetes.client.openapi.models.V2HorizontalPodAutoscaler;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads manifests as an API server of Kubernetes 1.32 would, which refuses what it does not know. */
final class Manifests {
    private static final ObjectMapper YAML =
        new YAMLMapper(YAMLFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build());
    /** Generated from Kubernetes' API: they check names, types and what must be there. */
    private static final Map<String, Class<?>> MODELS = Map.ofEntries(
        Map.entry("v1/ConfigMap", V1ConfigMap.class),
        Map.entry("v1/Namespace", V1Namespace.class),
        Map.entry("v1/Pod", V1Pod.class),
        Map.entry("v1/Service", V1Service.class),
        Map.entry("v1/ServiceAccount", V1ServiceAccount.class),
        Map.entry("apps/v1/DaemonSet", V1DaemonSet.class),
        Map.entry("apps/v1/Deployment", V1Deployment.class),
        Map.entry("autoscaling/v2/HorizontalPodAutoscaler", V2HorizontalPodAutoscaler.class),
        Map.entry("rbac.authorization.k8s.io/v1/ClusterRole", V1ClusterRole.class),
        Map.entry("rbac.authorization.k8s.io/v1/ClusterRoleBinding", V1ClusterRoleBinding.class),
        Map.entry("rbac.authorization.k8s.io/v1/Role", V1Role.class),
        Map.entry("rbac.authorization.k8s.io/v1/RoleBinding", V1RoleBinding.class),
        Map.entry("scheduling.k8s.io/v1/PriorityClass", V1PriorityClass.class));
    private static final Map<String, JsonSchema> SCHEMAS = Map.of(
        "eksctl.io/v1alpha5/ClusterConfig", schema("clusterconfig.v1alpha5.json"),
        "monitoring.coreos.com/v1/PodMonitor", schema("podmonitor.v1.json"),
        "sparkoperator.k8s.io/v1beta2/SparkApplication", schema("sparkapplication.v1beta2.json"));

    private Manifests() { }

    /** What a cluster's administrator would apply with {@code kubectl apply -k}. */
    static List<JsonNode> render(Path overlay) throws IOException {
        Process kustomize = new ProcessBuilder("kubectl", "kustomize", overlay.toString()).redirectErrorStream(true).start();
        String rendered = new String(kustomize.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (kustomize.waitFor() != 0) {
                throw new AssertionError("kubectl kustomize " + overlay + ": " + rendered);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return documents(rendered);
    }

    static List<JsonNode> read(Path file) throws IOException {
        return documents(Files.readString(file));
    }

    private static List<JsonNode> documents(String yaml) throws IOException {
        try (MappingIterator<JsonNode> documents = YAML.readerFor(JsonNode.class).readValues(yaml)) {
            return documents.readAll();
        }
    }

    /** @throws AssertionError unless an API server would take it */
    static void check(JsonNode resource) {
        String kind = resource.path("apiVersion").asText() + "/" + resource.path("kind").asText();
        if (MODELS.containsKey(kind)) {
            check(resource, MODELS.get(kind));
        } else if (SCHEMAS.containsKey(kind)) {
            Set<ValidationMessage> problems = SCHEMAS.get(kind).validate(resource);
            if (!problems.isEmpty()) {
                throw new AssertionError(kind + ": " + problems);
            }
            // The operator's schema leaves open what a pod template is.
            for (String part : List.of("driver", "executor")) {
                if (resource.path("spec").path(part).has("template")) {
                    check(resource.path("spec").path(part).path("template"), V1PodTemplateSpec.class);
                }
            }
        } else if (kind.equals("serving.knative.dev/v1/Service")) {
            checkKnative(resource.deepCopy());
        } else if (kind.equals("kubeless.io/v1beta1/Function")) {
            checkKubeless(resource);
        } else {
            throw new AssertionError("no schema to check it with: " + kind);
        }
    }

    /** Its revisions are pod templates with a few fields more, whose probes get their ports from Knative. */
    private static void checkKnative(ObjectNode resource) {
        only(resource, "apiVersion", "kind", "metadata", "spec");
        only(resource.get("spec"), "template", "traffic");
        ObjectNode spec = (ObjectNode) resource.at("/spec/template/spec");
        spec.remove(List.of("containerConcurrency", "timeoutSeconds", "idleTimeoutSeconds", "responseStartTimeoutSeconds"));
        for (JsonNode container : spec.path("containers")) {
            for (String probe : List.of("readinessProbe", "livenessProbe", "startupProbe")) {
                if (container.at("/" + probe + "/httpGet") instanceof ObjectNode get && !get.has("port")) {
                    get.put("port", 8080);
                }
            }
        }
        check(resource.at("/spec/template"), V1PodTemplateSpec.class);
    }

    private static void checkKubeless(JsonNode resource) {
        only(resource, "apiVersion", "kind", "metadata", "spec");
        only(resource.get("spec"), "runtime", "handler", "timeout", "function", "function-content-type", "checksum", "deps",
            "service", "deployment", "horizontalPodAutoscaler");
        check(resource.at("/spec/service"), V1ServiceSpec.class);
        check(resource.at("/spec/deployment/spec/template"), V1PodTemplateSpec.class);
    }

    private static void only(JsonNode object, String... fields) {
        object.fieldNames().forEachRemaining(name -> {
            if (!List.of(fields).contains(name)) {
                throw new AssertionError("unknown field: name=" + name + ", known=" + List.of(fields));
            }
        });
    }

    private static void check(JsonNode resource, Class<?> model) {
        try {
            JSON.deserialize(resource.toString(), model);
        } catch (RuntimeException e) {
            throw new AssertionError(model.getSimpleName() + ": " + e.getMessage(), e);
        }
    }

    /** As an API server takes it with strict validation: a field that is not in it is an error. */
    private static JsonSchema schema(String file) {
        try (InputStream in = Manifests.class.getResourceAsStream("schemas/" + file)) {
            JsonNode schema = new ObjectMapper().readTree(in);
            close(schema, /* top= */ true);
            return JsonSchemaFactory.getInstance(VersionFlag.V7).getSchema(schema);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void close(JsonNode schema, boolean top) {
        if (schema instanceof ObjectNode object && object.has("properties") && !object.has("additionalProperties")
                && !object.path("x-kubernetes-preserve-unknown-fields").asBoolean()) {
            object.put("additionalProperties", false);
        }
        if (schema instanceof ObjectNode object && object.path("x-kubernetes-int-or-string").asBoolean()) {
            object.remove("pattern"); // it is for the strings among them
        }
        if (top && schema.path("properties").path("metadata") instanceof ObjectNode metadata) {
            metadata.put("x-kubernetes-preserve-unknown-fields", true); // checked by the API server for all resources alike
        }
        schema.forEach(part -> close(part, false));
    }
}
