package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole scenarios. */
class SimulationTest {
    /** All kinds of arrivals and sizes, platforms, shares, data and failures at once. */
    private static final String MIXED = """
        requests: 10000
        window: 10s
        devices:
          - platform: xilinx/u250
            count: 12
            failures: {every: 2m, repair: 5s}
          - platform: intel/pac
            count: 8
            programming: 500ms
            lanes: 2
        accelerators:
          kmeans: {}
          regression: {}
          edges: {platforms: [xilinx/u250]}
          compress: {platforms: [intel/pac]}
        allocations:
          - name: service
            count: 5
            share: 2
            arrivals: {kind: poisson, rate: 20/s}
            size: {kind: lognormal, median: 20ms}
            accelerators: {edges: 3, regression: 1}
          - name: batch
            count: 2
            arrivals: {kind: bursts, rate: 0.5/s, of: 100}
            size: {kind: pareto, least: 10ms, most: 2s}
            accelerators: {compress: 1, regression: 1}
          - name: notebook
            count: 4
            arrivals: {kind: loop, clients: 3, think: 10ms}
            size: {kind: exponential, mean: 40ms}
            accelerators: {kmeans: 1, regression: 1}
            data: {sets: 2, size: 64MB}
          - name: clock
            arrivals: {kind: poisson, rate: 5/s}
            size: {kind: constant, time: 3ms}
        """;

    static Iterable<String> rules() {
        return Simulation.RULES.keySet();
    }

    private static Map<String, Outcome> outcomes(String text, long seed) {
        Simulation simulation = new Simulation(ScenarioFile.parse("test", text), seed);
        Map<String, Outcome> outcomes = new HashMap<>();
        Simulation.RULES.keySet().forEach(rule -> outcomes.put(rule, simulation.run(rule, () -> { })));
        return outcomes;
    }

    @ParameterizedTest
    @MethodSource("rules")
    void shouldEndEachRequestOnce(String rule) {
        Scenario scenario = ScenarioFile.parse("test", MIXED);
        List<Integer> steps = new ArrayList<>();
        Outcome outcome = new Simulation(scenario, 3).run(rule, () -> steps.add(1));
        assertThat(outcome.done() + outcome.failed()).isEqualTo(scenario.requests());
        assertThat(outcome.waits()).hasSize(outcome.done()).isSorted();
        assertThat(outcome.waited(0)).isNotNegative();
        assertThat(outcome.busy()).isBetween(0.01, 1.0);
        assertThat(outcome.jain()).isBetween(0.01, 1.0);
        assertThat(steps).hasSize(scenario.requests() / Measurements.STEP);
    }

    @ParameterizedTest
    @MethodSource("rules")
    void shouldDoTheSameAgainWithTheSameSeedOnly(String rule) {
        Scenario scenario = ScenarioFile.parse("test", MIXED);
        Outcome first = new Simulation(scenario, 11).run(rule, () -> { });
        assertThat(new Simulation(scenario, 11).run(rule, () -> { })).usingRecursiveComparison().isEqualTo(first);
        assertThat(new Simulation(scenario, 12).run(rule, () -> { }).waits()).isNotEqualTo(first.waits());
    }

    @Test
    void shouldBeFairerThanSimplerRulesAndProgramLess() {
        Map<String, Outcome> outcomes = outcomes(MIXED, 1);
        Outcome ours = outcomes.remove(Simulation.OURS);
        assertThat(outcomes.values()).allSatisfy(other -> {
            assertThat(ours.jain()).isGreaterThanOrEqualTo(other.jain());
            assertThat(ours.reprogrammings()).isLessThanOrEqualTo(other.reprogrammings());
            assertThat(ours.makespanNanos()).isLessThanOrEqualTo(other.makespanNanos());
        });
        assertThat(ours.jain()).isGreaterThan(0.9);
    }

    @Test
    void shouldShareEvenlyBesideAFlood() {
        String flood = ScenarioFile.text("flood").replace("requests: 200000", "requests: 20000");
        Map<String, Outcome> outcomes = outcomes(flood, 1);
        assertThat(outcomes.get(Simulation.OURS).jain()).isGreaterThan(0.98);
        assertThat(outcomes.get("first come first served").jain()).isLessThan(0.5);
    }

    @Test
    void shouldBeatNoLowerBound() {
        for (String text : List.of(MIXED, MIXED.replaceAll("(?s)  - name: notebook.*?(?=  - name: clock)", ""))) {
            Simulation simulation = new Simulation(ScenarioFile.parse("test", text), 1);
            for (Outcome outcome : outcomes(text, 1).values()) {
                LowerBound bound = simulation.bound(outcome, outcome.makespanNanos());
                assertThat(outcome.makespanNanos()).isGreaterThanOrEqualTo(bound.makespanNanos());
                assertThat((long) outcome.reprogrammings()).isGreaterThanOrEqualTo(bound.reprogrammings());
                assertThat(outcome.perSecond()).isLessThanOrEqualTo(bound.perSecond());
            }
        }
    }

    @Test
    void shouldWorkOutTheLowerBoundOfWhatIsDoneByHand() {
        // Ten requests of a second at once, on four devices; half of a kind that only one of them runs.
        Scenario scenario = ScenarioFile.parse("test", """
            requests: 10
            devices:
              - {platform: one}
              - {platform: other, count: 3}
            accelerators:
              anywhere: {}
              here: {platforms: [one]}
            allocations:
              - name: a
                arrivals: {kind: loop, clients: 10}
                size: {kind: constant, time: 1s}
            """);
        Simulation simulation = new Simulation(scenario, 1);
        Outcome outcome = simulation.run(Simulation.OURS, () -> { });
        LowerBound bound = simulation.bound(outcome, outcome.makespanNanos());
        long here = outcome.runNanos()[1];
        assertThat(here).isGreaterThan(2_500_000_000L);
        assertThat(bound.makespanNanos()).isEqualTo(here); // more than the ten seconds by four devices
        long perDevice = outcome.makespanNanos();
        assertThat(bound.reprogrammings())
            .isEqualTo(-Math.floorDiv(-here, perDevice) + -Math.floorDiv(-outcome.runNanos()[0], perDevice));
    }

    @Test
    void shouldSendAndFailTheSameUnderEveryRuleWhereArrivalsAreOpen() {
        String open = MIXED.replaceAll("(?s)  - name: notebook.*?(?=  - name: clock)", "");
        assertThat(outcomes(open, 5).values()).extracting(Outcome::submittedNanos).containsOnly(
            outcomes(open, 5).get(Simulation.OURS).submittedNanos());
    }
}
