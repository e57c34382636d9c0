package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class SimulateCommandTest {
    @TempDir
    private Path directory;
    private String scenario;
    private Path chart;

    @BeforeEach
    void writeScenario() throws IOException {
        chart = directory.resolve("new/chart.png");
        scenario = Files.writeString(directory.resolve("small.yaml"),
            ScenarioFile.text("flood").replace("requests: 200000", "requests: 3000")).toString();
    }

    private static String run(int expected, String... arguments) {
        StringWriter out = new StringWriter();
        CommandLine command = new CommandLine(new SimulateCommand()).setOut(new PrintWriter(out)).setErr(new PrintWriter(out))
            .setExecutionExceptionHandler((failure, line, parsed) -> {
                line.getErr().println(failure.getMessage());
                return CommandLine.ExitCode.SOFTWARE;
            });
        assertThat(command.execute(arguments)).as("%s", out).isEqualTo(expected);
        return out.toString();
    }

    /** Without what depends on the machine. */
    private static String figures(String output) {
        return output.replaceAll("(?m)^.*requests a second simulated.*$", "");
    }

    @Test
    void shouldPrintATableAndDrawAChartTheSameAgainWithTheSameSeed() throws IOException {
        String output = run(0, scenario, "--seed", "7", "--chart", chart.toString());
        assertThat(output).contains("10 devices, 32 allocations, 3,000 requests, seed 7", "wait p50", "p99", "reprogrammings");
        assertThat(output.lines().map(line -> line.split("  ")[0]))
            .contains("coral", "no affinity", "least loaded", "first come first served", "no schedule can beat");
        BufferedImage image = ImageIO.read(chart.toFile());
        assertThat(image.getWidth()).isEqualTo(1000);
        boolean drawn = false;
        for (int x = 0; x < image.getWidth(); x++) {
            for (int y = 0; y < image.getHeight() * 3 / 4; y++) { // above the legend
                drawn |= (image.getRGB(x, y) & 0xffffff) == 0xD55E00;
            }
        }
        assertThat(drawn).as("a line of ours").isTrue();
        assertThat(figures(run(0, scenario, "--seed", "7", "--chart", chart.toString()))).isEqualTo(figures(output));
        assertThat(figures(run(0, scenario, "--seed", "8", "--chart", chart.toString()))).isNotEqualTo(figures(output));
    }

    @Test
    void shouldPrintAScenarioToBeginWith() throws IOException {
        assertThat(run(0, "--print")).isEqualTo(ScenarioFile.text("mixed"));
        Path mine = Files.writeString(directory.resolve("mine.yaml"), run(0, "--print", "residents"));
        assertThat(ScenarioFile.read(mine.toString())).isEqualTo(ScenarioFile.read("residents"));
    }

    @Test
    void shouldSayWhatIsWrong() throws IOException {
        assertThat(run(1, "nowhere.yaml")).contains("cannot read scenario: file=nowhere.yaml");
        Path file = Files.writeString(directory.resolve("file"), "");
        assertThat(run(1, scenario, "--chart", file.resolve("chart.png").toString())).contains("cannot write chart");
    }
}
