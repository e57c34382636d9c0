package com.inaccel.coral.bench.images;

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

/** Measures what image functions are made of. */
@Command(name = "functions", mixinStandardHelpOptions = true, usageHelpAutoWidth = true, sortOptions = false,
    description = "Measure image functions, and their accelerators against OpenCV.")
public final class FunctionsBench implements Callable<Integer> {
    private static final List<String> PARTS = List.of("kernels", "overhead", "busy", "soak");

    @Option(names = "--only", split = ",", paramLabel = "PART", description = "of kernels, overhead, busy, soak")
    private List<String> parts = PARTS;

    @Option(names = "--rounds", defaultValue = "21", paramLabel = "N",
        description = "timed rounds of each pair of contestants of kernels (${DEFAULT-VALUE})")
    private int rounds;

    @Option(names = "--calls", defaultValue = "2000", paramLabel = "N",
        description = "timed calls of overhead (${DEFAULT-VALUE})")
    private int calls;

    /** Until then the compilers of three JVMs compete with the calls for the processor. */
    @Option(names = "--warm-up", defaultValue = "5000", paramLabel = "N",
        description = "calls of overhead before those that are timed (${DEFAULT-VALUE})")
    private int warmUp;

    @Option(names = "--seconds", defaultValue = "20", paramLabel = "S", description = "that busy is measured (${DEFAULT-VALUE})")
    private double seconds;

    @Option(names = "--images", defaultValue = "20000", paramLabel = "N", description = "images of soak (${DEFAULT-VALUE})")
    private int images;

    @Option(names = "--function-kills", defaultValue = "20", paramLabel = "N",
        description = "functions that soak kills (${DEFAULT-VALUE})")
    private int functionKills;

    @Option(names = "--manager-kills", defaultValue = "10", paramLabel = "N",
        description = "managers that soak kills (${DEFAULT-VALUE})")
    private int managerKills;

    @Option(names = "--json", defaultValue = "out/bench-functions.json", paramLabel = "FILE",
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
                    case "kernels" -> measured.putAll(Kernels.measure(rounds));
                    case "overhead" -> measured.putAll(FunctionOverhead.measure(scratch.directory(), warmUp, calls));
                    case "busy" -> measured.putAll(BusyDevices.measure(scratch.directory(), seconds));
                    default -> passed &= FunctionSoak.run(scratch.directory(), images, functionKills, managerKills, measured);
                }
                figures.put(part, measured);
            }
        }
        Figures.write(figures, json);
        return passed ? 0 : 1;
    }
}
