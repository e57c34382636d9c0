package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class LogisticBenchTest {
    private final StringWriter errors = new StringWriter();

    @TempDir
    private Path directory;

    @Test
    void shouldRaceContestantsToTheSameObjectiveAndAgainWithTheFewestIterationsThatReachIt() throws IOException {
        JsonNode figures = run("--rows", "3000", "--features", "5", "--iterations", "12", "--repeats", "2",
            "--against", "coral,mllib,kernel");

        JsonNode contestants = figures.required("contestants");
        assertThat(contestants.findValuesAsText("name"))
            .containsExactly("coral", "mllib", "kernel-single", "kernel-double");
        double coral = contestants.get(0).required("objectives").get(0).asDouble();
        assertThat(contestants.get(1).required("objectives").get(0).asDouble()).isCloseTo(coral, within(1e-4 * coral));
        for (JsonNode contestant : List.of(contestants.get(0), contestants.get(1))) {
            JsonNode details = contestant.required("details").get(0);
            assertThat(details.required("reportedObjective").asDouble())
                .as("as the benchmark computes it").isCloseTo(coral, within(1e-4 * coral));
            assertThat(details.required("evaluations").asInt())
                .isGreaterThanOrEqualTo(contestant.required("iterations").get(0).asInt());
            assertThat(details.required("sparkJobs").asInt()).isGreaterThan(1);
        }
        JsonNode equal = figures.required("toEqualObjective");
        assertThat(equal.findValuesAsText("name")).containsExactly("coral", "mllib");
        assertThat(equal.get(0).required("iterations").get(0).asInt())
            .isLessThanOrEqualTo(contestants.get(0).required("iterations").get(0).asInt());
    }

    @Test
    void shouldFitAGridOverSparseRowsOfSeveralClasses() throws IOException {
        JsonNode figures = run("--sparse", "--rows", "1000", "--features", "50", "--non-zeros", "5", "--classes", "3",
            "--iterations", "5", "--repeats", "1", "--grid", "3", "--against", "coral");

        JsonNode contestants = figures.required("contestants");
        assertThat(contestants.findValuesAsText("name")).containsExactly("coral, 1 map", "coral, 3 maps");
        List<Double> objectives = new ArrayList<>();
        contestants.get(1).required("objectives").forEach(objective -> objectives.add(objective.asDouble()));
        assertThat(objectives).hasSize(3).isSortedAccordingTo((a, b) -> Double.compare(b, a));
        assertThat(objectives.get(0)).isEqualTo(contestants.get(0).required("objectives").get(0).asDouble());
    }

    private JsonNode run(String... arguments) throws IOException {
        Path file = directory.resolve("figures.json");
        List<String> all = new ArrayList<>(List.of("logreg", "--heap", "1g", "--warm-up", "0", "--json", file.toString()));
        all.addAll(List.of(arguments));
        int status = Bench.commandLine().setErr(new PrintWriter(errors, true)).execute(all.toArray(String[]::new));
        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(ProcessHandle.current().children()).isEmpty();
        return new ObjectMapper().readTree(file.toFile());
    }
}
