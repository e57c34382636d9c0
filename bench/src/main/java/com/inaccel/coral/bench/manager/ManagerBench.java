package com.inaccel.coral.bench.manager;

import com.inaccel.coral.bench.Figures;
import com.inaccel.coral.bench.support.Scratch;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures the node manager: what going through it costs, how fairly it shares devices, and what it survives. */
@Command(name = "manager", mixinStandardHelpOptions = true, usageHelpAutoWidth = true, sortOptions = false,
    description = "Measure the node manager, with emulated FPGAs where devices are shared.")
public final class ManagerBench implements Callable<Integer> {
    private static final List<String> PARTS = List.of("overhead", "rate", "fairness", "flood", "soak");

    @Option(names = "--only", split = ",", paramLabel = "PART", description = "of overhead, rate, fairness, flood, soak")
    private List<String> parts = PARTS;

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
        List<String> unknown = parts.stream().filter(part -> !PARTS.contains(part)).toList();
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("unknown parts: only=" + unknown + ", known=" + PARTS);
        }
        Map<String, Object> figures = Figures.begin(spec);
        boolean passed = true;
        try (Scratch scratch = Scratch.create("coral-bench-")) {
            for (String part : PARTS.stream().filter(parts::contains).toList()) {
                Map<String, Object> measured = new LinkedHashMap<>();
                switch (part) {
                    case "overhead" -> measured.putAll(Overhead.measure(scratch.directory(), warmUp, calls));
                    case "rate" -> measured.putAll(Rate.measure(scratch.directory(), seconds));
                    case "fairness" -> measured.putAll(Fairness.measure(scratch.directory(), seconds));
                    case "flood" -> measured.putAll(Flood.measure(scratch.directory(), seconds));
                    default -> passed &= Soak.run(scratch.directory(), connects, clientKills, managerKills, seed, measured);
                }
                figures.put(part, measured);
            }
        }
        Figures.write(figures, json);
        return passed ? 0 : 1;
    }
}
