package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class BenchTest {
    private final StringWriter errors = new StringWriter();

    @Test
    void shouldDefaultToAllContestants() {
        CommandLine.ParseResult parsed = Bench.commandLine().parseArgs("kmeans").subcommand();

        assertThat(parsed.<java.util.List<String>>matchedOptionValue("--against", null))
            .as("given on the command line").isNull();
        assertThat(parsed.commandSpec().findOption("--against").<Object>getValue())
            .isEqualTo(KMeansBench.NAMES);
    }

    @Test
    void shouldDefaultToAllContestantsForEachAlgorithm() {
        assertThat(Bench.commandLine().parseArgs("logreg").subcommand().commandSpec().findOption("--against")
            .<Object>getValue()).isEqualTo(LogisticBench.NAMES);
    }

    @Test
    void shouldSplitContestantsAtCommas() {
        CommandLine.ParseResult parsed = Bench.commandLine().parseArgs("kmeans", "--against", "mllib,coral").subcommand();

        assertThat(parsed.commandSpec().findOption("--against").<Object>getValue())
            .isEqualTo(java.util.List.of("mllib", "coral"));
    }

    @Test
    void shouldNameUnknownContestantsAndTheKnownOnes() {
        assertThat(run("kmeans", "--against", "coral,weka")).isEqualTo(1);
        assertThat(errors.toString()).contains("against=weka").contains("coral-socket");
    }

    @Test
    void shouldRefuseSizesThatCannotBe() {
        assertThat(run("kmeans", "--rows", "10", "--k", "11")).isEqualTo(1);
        assertThat(errors.toString()).contains("rows=10").contains("k=11");
    }

    @Test
    void shouldRefuseSparseRowsWithMoreValuesThanFeatures() {
        assertThat(run("logreg", "--sparse", "--features", "10", "--non-zeros", "11")).isEqualTo(1);
        assertThat(errors.toString()).contains("nonZeros=11").contains("most=10");
    }

    @Test
    void shouldRefuseTwoModesAtOnce() {
        assertThat(run("kmeans", "--scale", "--shapes")).isEqualTo(1);
        assertThat(run("logreg", "--scale", "--grid", "2")).isEqualTo(1);
        assertThat(errors.toString()).contains("one mode at a time");
    }

    @Test
    void shouldRefuseOptionsThatDoNotExist() {
        assertThat(run("kmeans", "--row", "10")).isEqualTo(CommandLine.ExitCode.USAGE);
    }

    private int run(String... arguments) {
        return Bench.commandLine().setErr(new PrintWriter(errors, true)).execute(arguments);
    }
}
