package com.inaccel.coral.bench.manager;

import com.inaccel.coral.bench.Parts;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures the node manager: what going through it costs, how fairly it shares devices, and what it survives. */
@Command(name = "manager", mixinStandardHelpOptions = true, usageHelpAutoWidth = true, sortOptions = false,
    description = "Measure the node manager, with emulated FPGAs where devices are shared.")
public final class ManagerBench implements Callable<Integer> {
    @Option(names = "--only", split = ",", paramLabel = "PART", description = "of overhead, rate, fairness, flood, soak (all)")
    private List<String> parts = List.of();

    @Option(names = "--calls", defaultValue = "20000", paramLabel = "N",
        description = "timed calls of each contestant of overhead (${DEFAULT-VALUE})")
    private int calls;

    /** Until then compilers in both JVMs keep a core for whole time slices of 3 ms, and p99 tells of nothing else. */
    @Option(names = "--warm-up", defaultValue = "30000", paramLabel = "N",
        description = "calls of each before those that are timed (${DEFAULT-VALUE})")
    private int warmUp;

    @Option(names = "--seconds", defaultValue = "10", paramLabel = "S",
        description = "that each of rate, fairness and flood is measured (${DEFAULT-VALUE})")
    private double seconds;

    @Option(names = "--connects", defaultValue = "10000", paramLabel = "N",
        description = "connects and disconnects of soak (${DEFAULT-VALUE})")
    private int connects;

    @Option(names = "--client-kills", defaultValue = "1000", paramLabel = "N",
        description = "clients that soak kills (${DEFAULT-VALUE})")
    private int clientKills;

    @Option(names = "--manager-kills", defaultValue = "100", paramLabel = "N",
        description = "managers that soak kills (${DEFAULT-VALUE})")
    private int managerKills;

    @Option(names = "--seed", defaultValue = "1", paramLabel = "N", description = "of soak (${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--json", defaultValue = "out/bench-manager.json", paramLabel = "FILE",
        description = "where all figures go (${DEFAULT-VALUE})")
    private Path json;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        return new Parts()
            .with("overhead", scratch -> Overhead.measure(scratch, warmUp, calls))
            .with("rate", scratch -> Rate.measure(scratch, seconds))
            .with("fairness", scratch -> Fairness.measure(scratch, seconds))
            .with("flood", scratch -> Flood.measure(scratch, seconds))
            .with("soak", (scratch, figures) -> Soak.run(scratch, connects, clientKills, managerKills, seed, figures))
            .run(parts, spec, json);
    }
}
