package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ManagerBenchTest {
    @TempDir
    private Path directory;

    private final StringWriter errors = new StringWriter();

    @Test
    void shouldFindNothingLostWhereClientsAndManagersAreKilled() throws Exception {
        Path json = directory.resolve("figures.json");

        assertThat(run("--only", "soak", "--connects", "20", "--client-kills", "2", "--manager-kills", "2", "--json",
            json.toString())).as(errors.toString()).isZero();

        JsonNode soak = new ObjectMapper().readTree(json.toFile()).get("soak");
        assertThat(soak.get("managers killed").get("times").asInt()).isEqualTo(2);
        assertThat(soak.findValuesAsText("verdict")).hasSize(3).allMatch(verdict -> verdict.contains("no leak"));
    }

    @Test
    void shouldMeasureARate() throws Exception {
        Path json = directory.resolve("figures.json");

        assertThat(run("--only", "rate", "--seconds", "0.2", "--json", json.toString())).as(errors.toString()).isZero();

        assertThat(new ObjectMapper().readTree(json.toFile()).get("rate").get("requestsPerSecond").asDouble()).isPositive();
    }

    @Test
    void shouldNameUnknownPartsAndTheKnownOnes() {
        assertThat(run("--only", "rate,speed")).isEqualTo(1);
        assertThat(errors.toString()).contains("speed").contains("overhead");
    }

    private int run(String... options) {
        String[] arguments = new String[options.length + 1];
        arguments[0] = "manager";
        System.arraycopy(options, 0, arguments, 1, options.length);
        return Bench.commandLine().setErr(new PrintWriter(errors, true)).execute(arguments);
    }
}
