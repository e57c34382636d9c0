package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class KMeansBenchTest {
    private final StringWriter errors = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void shouldRaceContestantsInTheirOwnProcessesAndWriteWhatTheyFound() throws IOException {
        Path file = directory.resolve("new").resolve("figures.json");

        int status = Bench.commandLine().setErr(new PrintWriter(errors, true)).execute("kmeans", "--rows", "3000",
            "--features", "4", "--k", "3", "--iterations", "3", "--repeats", "2", "--heap", "1g", "--warm-up", "0",
            "--against", "coral,coral-socket,mllib,kernel", "--json", file.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        JsonNode contestants = new ObjectMapper().readTree(file.toFile()).required("contestants");
        assertThat(contestants.findValuesAsText("name"))
            .containsExactly("coral", "coral-socket", "mllib", "kernel-single", "kernel-double");
        for (JsonNode contestant : contestants) {
            assertThat(contestant.required("seconds")).hasSize(2).allMatch(seconds -> seconds.asDouble() > 0);
        }
        double coral = contestants.get(0).required("objectives").get(0).asDouble();
        assertThat(contestants.get(1).required("objectives").get(0).asDouble()).isEqualTo(coral);
        assertThat(contestants.get(0).required("details").get(0).required("bytesShipped").asDouble())
            .isGreaterThanOrEqualTo(3000 * 4 * Float.BYTES);
        assertThat(contestants.get(1).required("about").required("address").asText()).startsWith("unix:");
        assertThat(ProcessHandle.current().children()).isEmpty();
    }
}
