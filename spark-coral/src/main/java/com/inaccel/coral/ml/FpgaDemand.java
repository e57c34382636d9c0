package com.inaccel.coral.ml;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Whether an application asks for FPGAs for its executors, by either of the ways that Spark has on Kubernetes. */
final class FpgaDemand {
    private static final String AMOUNT = "spark.executor.resource.fpga.amount";
    private static final String TEMPLATE = "spark.kubernetes.executor.podTemplateFile";
    private static final String CONTAINER = "spark.kubernetes.executor.podTemplateContainerName";
    private static final String USUAL_CONTAINER = "spark-kubernetes-executor";

    private FpgaDemand() { }

    /**
     * The words by which it asks; empty where it does not.
     *
     * @throws IllegalArgumentException when a template asks for a container that is not the executor's
     */
    static Optional<String> of(Map<String, String> conf) {
        String amount = conf.getOrDefault(AMOUNT, "0").trim();
        if (!amount.equals("0")) {
            return Optional.of(AMOUNT + "=" + amount);
        }
        String template = conf.getOrDefault(TEMPLATE, "").trim();
        boolean onKubernetes = conf.getOrDefault("spark.master", "").startsWith("k8s:");
        return onKubernetes && !template.isEmpty()
            ? file(template).flatMap(file -> inTemplate(file, conf.getOrDefault(CONTAINER, "").trim())) : Optional.empty();
    }

    /** Where Spark has it on this machine: in cluster mode always, else unless it comes from elsewhere. */
    private static Optional<Path> file(String template) {
        Path file = template.matches("(file|local):.*") ? Path.of(URI.create(template).getPath()) : Path.of(template);
        return Files.isReadable(file) ? Optional.of(file) : Optional.empty();
    }

    private static Optional<String> inTemplate(Path file, String wanted) {
        JsonNode pod;
        try {
            pod = new YAMLMapper().readTree(file.toFile());
        } catch (IOException e) {
            throw new IllegalArgumentException(
                "pod template cannot be read: " + TEMPLATE + "=" + file + ", cause=" + e.getMessage(), e);
        }
        List<JsonNode> containers = new ArrayList<>();
        pod.path("spec").path("containers").forEach(containers::add);
        if (containers.isEmpty()) {
            return Optional.empty();
        }
        // As Spark chooses it, which takes the first where none has the name.
        JsonNode executor = containers.stream().filter(one -> !wanted.isEmpty() && name(one).equals(wanted)).findFirst()
            .orElse(containers.get(0));
        Optional<String> asked = resource(executor);
        for (JsonNode other : containers) {
            if (asked.isEmpty() && resource(other).isPresent()) {
                throw new IllegalArgumentException("pod template gives the FPGAs to a container in which Spark runs no executor: "
                    + TEMPLATE + "=" + file + ", resource=" + resource(other).get() + ", container="
                    + (name(other).isEmpty() ? "(without a name)" : name(other)) + ", executor's container="
                    + (name(executor).isEmpty() ? "(the first, without a name)" : name(executor)) + "; name the container "
                    + USUAL_CONTAINER + ", let it be the first, and put the limit there");
            }
        }
        return asked.map(resource -> TEMPLATE + "=" + file + " (" + resource + ")");
    }

    private static String name(JsonNode container) {
        return container.path("name").asText("");
    }

    private static Optional<String> resource(JsonNode container) {
        List<String> names = new ArrayList<>();
        JsonNode resources = container.path("resources");
        Stream.of("limits", "requests").forEach(kind -> resources.path(kind).fieldNames().forEachRemaining(names::add));
        return names.stream().filter(name -> name.substring(name.indexOf('/') + 1).toLowerCase(Locale.ROOT).contains("fpga"))
            .findFirst();
    }
}
