package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.CoralException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ScenarioFileTest {
    private static final String GOOD = """
        devices:
          - platform: xilinx/u250
            failures: {every: 1h}
        accelerators:
          kmeans: {}
          edges: {platforms: [xilinx/u250]}
        allocations:
          - name: team
            arrivals: {kind: poisson, rate: 30/s}
            size: {kind: pareto, least: 5ms}
            accelerators: {kmeans: 2}
            data: {size: 1GB}
        """;

    @TempDir
    private Path directory;

    static Iterable<String> shipped() {
        return ScenarioFile.SHIPPED;
    }

    @ParameterizedTest
    @MethodSource("shipped")
    void shouldReadWhatComesAlong(String name) {
        Scenario scenario = ScenarioFile.read(name);
        assertThat(scenario.about()).isNotBlank();
        assertThat(scenario.requests()).isGreaterThanOrEqualTo(100_000);
    }

    @Test
    void shouldTakeDefaultsForWhatIsLeftOut() throws IOException {
        Path file = Files.writeString(directory.resolve("my.yaml"), GOOD);
        Scenario scenario = ScenarioFile.read(file.toString());
        assertThat(scenario.requests()).isEqualTo(100_000);
        Scenario.Devices devices = scenario.devices().get(0);
        assertThat(devices.count()).isEqualTo(1);
        assertThat(devices.programming().nanos()).isEqualTo(200_000_000);
        assertThat(devices.failures().every().nanos()).isEqualTo(3_600_000_000_000L);
        assertThat(scenario.allocations().get(0).share()).isEqualTo(1);
        assertThat(scenario.allocations().get(0).data().sets()).isEqualTo(1);
        assertThat(scenario.allocations().get(0).data().size().count()).isEqualTo(1L << 30);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "platform: xilinx/u250 | platfrom: xilinx/u250 | unknown key: key=platfrom; did you mean platform?; at=devices[0].platfrom",
        "rate: 30/s | rate: -30/s | not a quantity: value=-30/s; at=allocations[0].arrivals.rate; line=9",
        "rate: 30/s | rate: 0/s | not above zero: key=rate, value=0.0",
        "rate: 30/s | rate: 30 | not a quantity: value=30; /s, /m, /h",
        "rate: 30/s | clients: 3 | unknown key: key=clients; at=allocations[0].arrivals.clients; known=[kind, rate]",
        "kmeans: {} | kmeans: {platform: [xilinx/u250]} | unknown key: key=platform; at=accelerators.kmeans.platform",
        "kind: poisson | kind: poison | unknown kind: kind=poison; did you mean poisson?",
        "kind: poisson, | '' | missing: key=kind",
        "least: 5ms | least: 0ms | not above zero: key=least",
        "least: 5ms | least: 5ms, alpha: -1 | not above zero: key=alpha, value=-1.0",
        "least: 5ms | least: 5ms, most: 1ms | most is less than least",
        "least: 5ms | least: 5 parsecs | not a quantity: value=5 parsecs",
        "least: 5ms | least: 99999999h | quantity too large",
        "name: team | share: 1 | missing: key=name",
        "name: team | {name: team, share: 0 | bad scenario",
        "size: 1GB | size: 1GB, sets: 0 | out of range: key=sets, value=0, range=1 to 10000",
        "size: 1GB | sets: 2 | missing: key=size",
        "kmeans: 2 | kmeens: 2 | unknown accelerator: name=kmeens; did you mean kmeans?",
        "kmeans: 2 | kmeans: -2 | not above zero: key=accelerators.kmeans, value=-2.0",
        "[xilinx/u250] | [xilinx/u280] | unknown platform: name=xilinx/u280; did you mean xilinx/u250?",
        "failures: {every: 1h} | count: 0 | out of range: key=count, value=0, range=1 to 100000",
        "failures: {every: 1h} | count: many | not a integer: value=many",
        "failures: {every: 1h} | count: 1.5 | line=3",
        "failures: {every: 1h} | failures: {repair: 1s} | not above zero: key=every",
        "failures: {every: 1h} | platform: twice | Duplicate field 'platform'"})
    void shouldSayWhereAndWhatIsWrong(String instead, String of, String expected) {
        String text = GOOD.replace(instead, of);
        assertThat(text).isNotEqualTo(GOOD);
        assertThatThrownBy(() -> ScenarioFile.parse("my.yaml", text)).isInstanceOf(CoralException.class)
            .hasMessageContaining("file=my.yaml")
            .satisfies(problem -> {
                for (String part : expected.split("; ")) {
                    assertThat(problem.getMessage()).contains(part);
                }
            });
    }

    @Test
    void shouldRefuseAScenarioWithNothingInIt() {
        assertThatThrownBy(() -> ScenarioFile.parse("my.yaml", "devices: []")).hasMessageContaining("nothing there: key=devices");
        assertThatThrownBy(() -> ScenarioFile.parse("my.yaml", "")).hasMessageContaining("my.yaml");
        assertThatThrownBy(() -> ScenarioFile.parse("my.yaml", "- a list")).hasMessageContaining("bad scenario: file=my.yaml");
        assertThatThrownBy(() -> ScenarioFile.parse("my.yaml", GOOD.replace("kmeans: {}", "").replace("edges:", "kmeans:")
            + GOOD.substring(GOOD.indexOf("  - name")))).hasMessageContaining("name is there twice: name=team");
    }

    @Test
    void shouldNameTheOnesThatComeAlongWhereAFileIsNotThere() {
        assertThatThrownBy(() -> ScenarioFile.read("nowhere.yaml")).isInstanceOf(CoralException.class)
            .hasMessageContaining("cannot read scenario: file=nowhere.yaml").hasMessageContaining("mixed, flood");
    }
}
