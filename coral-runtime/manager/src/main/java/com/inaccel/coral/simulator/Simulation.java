package com.inaccel.coral.simulator;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Function;

/** A scenario under one rule after the other: the same devices, failures and senders for each. */
final class Simulation {
    /** The policy that the engine runs. */
    static final String OURS = "coral";
    /** By name, in the order of the table: makes the rule for a node, given the bound on starvation in nanoseconds. */
    static final Map<String, BiFunction<VirtualNode, Long, Rule>> RULES = new LinkedHashMap<>();

    static {
        RULES.put(OURS, CoralRule::aware);
        RULES.put("no affinity", CoralRule::blind);
        RULES.put("least loaded", (node, starvation) -> new LeastLoaded(node));
        RULES.put("first come first served", (node, starvation) -> new FirstComeFirstServed(node));
    }

    private final Scenario scenario;
    private final long seed;
    private final Hardware hardware;

    Simulation(Scenario scenario, long seed) {
        this.scenario = scenario;
        this.seed = seed;
        hardware = Workload.hardware(scenario);
    }

    /** @param progress called now and then */
    Outcome run(String rule, Runnable progress) {
        EventQueue events = new EventQueue();
        Workload workload = new Workload(scenario);
        Measurements measurements =
            new Measurements(scenario, workload.tenants(), workload.looping(), progress);
        Function<VirtualNode, Rule> make = node -> RULES.get(rule).apply(node, scenario.starvation().nanos());
        VirtualNode node = new VirtualNode(hardware, events, make, measurements);
        workload.start(events, node, seed);
        while (!workload.isOver()) {
            if (!events.step()) {
                throw new IllegalStateException("requests wait for ever: rule=" + rule + ", waiting=" + node.rule().size());
            }
        }
        return measurements.outcome(rule, hardware.lanes());
    }

    int devices() {
        return hardware.devices();
    }

    /**
     * @param ours whose requests the bound is about
     * @param withinNanos the longest makespan that is held against it
     */
    LowerBound bound(Outcome ours, long withinNanos) {
        boolean open = scenario.allocations().stream().noneMatch(group -> group.arrivals() instanceof Scenario.Loop);
        return LowerBound.of(hardware, ours, open ? ours.submittedNanos() : 0, withinNanos);
    }
}
