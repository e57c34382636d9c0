package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether an application asks for FPGAs, and whether its executors would get them. */
class FpgaDemandTest {
    private static final Path OURS = Path.of(System.getProperty("basedir"), "..", "k8s", "spark-submit", "executor.yaml");

    @TempDir
    Path directory;

    private final Map<String, String> conf = new HashMap<>(Map.of("spark.master", "k8s://https://api:6443"));

    @Test
    void shouldFindNoneWhereNobodyAsks() throws IOException {
        assertThat(FpgaDemand.of(conf)).isEmpty();
        conf.put("spark.executor.resource.fpga.amount", "0");
        template("containers: [{name: spark-kubernetes-executor, resources: {limits: {nvidia.com/gpu: 1}}}]");
        assertThat(FpgaDemand.of(conf)).isEmpty();
        template("nodeSelector: {disk: fast}");
        assertThat(FpgaDemand.of(conf)).isEmpty();
    }

    @Test
    void shouldFindTheAmountThatSparkIsTold() {
        conf.put("spark.executor.resource.fpga.amount", "2");
        assertThat(FpgaDemand.of(conf)).hasValue("spark.executor.resource.fpga.amount=2");
    }

    @Test
    void shouldFindTheLimitInTheTemplate() {
        conf.put("spark.kubernetes.executor.podTemplateFile", "file://" + OURS.toAbsolutePath().normalize());
        assertThat(FpgaDemand.of(conf)).hasValueSatisfying(words ->
            assertThat(words).contains("spark.kubernetes.executor.podTemplateFile=").endsWith("(xilinx.com/fpga)"));
        conf.put("spark.master", "local[2]"); // where the template means nothing
        assertThat(FpgaDemand.of(conf)).isEmpty();
    }

    /** Spark gives its own name to a container without one, if it is the only or the first one. */
    @Test
    void shouldTakeATemplateWithoutAContainersNameWhereSparkDoes() throws IOException {
        template("containers: [{resources: {limits: {intel.com/fpga: 1}}}, {name: sidecar}]");
        assertThat(FpgaDemand.of(conf)).isPresent();
    }

    @Test
    void shouldRefuseATemplateWhoseFpgasGoToAnotherContainer() throws IOException {
        template("containers: [{name: logs}, {resources: {limits: {xilinx.com/fpga: 1}}}]");
        assertThatThrownBy(() -> FpgaDemand.of(conf)).isInstanceOf(IllegalArgumentException.class).hasMessageContainingAll(
            "in which Spark runs no executor", "resource=xilinx.com/fpga", "container=(without a name)",
            "executor's container=logs", "name the container spark-kubernetes-executor");
        // As the operator tells Spark.
        conf.put("spark.kubernetes.executor.podTemplateContainerName", "spark-kubernetes-executor");
        assertThatThrownBy(() -> FpgaDemand.of(conf)).hasMessageContaining("executor's container=logs");
        template("containers: [{name: logs}, {name: spark-kubernetes-executor, resources: {requests: {xilinx.com/fpga: 1}}}]");
        assertThat(FpgaDemand.of(conf)).isPresent();
        conf.put("spark.kubernetes.executor.podTemplateContainerName", "logs");
        assertThatThrownBy(() -> FpgaDemand.of(conf)).hasMessageContaining("container=spark-kubernetes-executor");
    }

    @Test
    void shouldNameATemplateThatIsNoYaml() throws IOException {
        template("containers: [}");
        assertThatThrownBy(() -> FpgaDemand.of(conf)).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("pod template cannot be read").hasMessageContaining("template.yaml");
    }

    /** Of a pod with this in its spec. */
    private void template(String spec) throws IOException {
        Path file = directory.resolve("template.yaml");
        Files.writeString(file, "apiVersion: v1\nkind: Pod\nspec:\n  " + spec + "\n");
        conf.put("spark.kubernetes.executor.podTemplateFile", file.toString());
    }
}
