package com.inaccel.coral.bench.images;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

@Timeout(300)
class FunctionsBenchTest {
    @TempDir
    private Path directory;

    private final StringWriter errors = new StringWriter();

    @Test
    void shouldLoseAndDoubleNothingWhereStoreFunctionAndManagerFail() throws Exception {
        JsonNode soak = run("soak", "--images", "100", "--function-kills", "1", "--manager-kills", "1").get("soak");

        assertThat(soak.get("verdict").asText()).isEqualTo("each image once, nothing left over");
        assertThat(soak.get("eventsSent").asInt()).isGreaterThan(100);
        assertThat(ProcessHandle.current().children()).isEmpty();
    }

    @Test
    void shouldMeasureWhatACallCostsBeyondItsWork() throws Exception {
        JsonNode overhead = run("overhead", "--warm-up", "20", "--calls", "20").get("overhead");

        assertThat(overhead.at("/beyond decode, kernel, encode/p50Millis").asDouble()).isPositive();
        assertThat(overhead.get("coldStartSeconds").asDouble()).isPositive();
    }

    private JsonNode run(String part, String... options) throws Exception {
        Path json = directory.resolve("figures.json");
        String[] arguments = new String[options.length + 4];
        arguments[0] = "--only";
        arguments[1] = part;
        arguments[2] = "--json";
        arguments[3] = json.toString();
        System.arraycopy(options, 0, arguments, 4, options.length);
        assertThat(new CommandLine(new FunctionsBench()).setErr(new PrintWriter(errors, true)).execute(arguments))
            .as(errors.toString()).isZero();
        return new ObjectMapper().readTree(json.toFile());
    }
}
