package com.inaccel.coral.bench.images;

import com.inaccel.coral.bench.Parts;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what image functions are made of. */
@Command(name = "functions", mixinStandardHelpOptions = true, usageHelpAutoWidth = true, sortOptions = false,
    description = "Measure image functions, and their accelerators against OpenCV.")
public final class FunctionsBench implements Callable<Integer> {
    @Option(names = "--only", split = ",", paramLabel = "PART", description = "of kernels, overhead, busy, soak (all)")
    private List<String> parts = List.of();

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
        return new Parts()
            .with("kernels", scratch -> Kernels.measure(rounds))
            .with("overhead", scratch -> FunctionOverhead.measure(scratch, warmUp, calls))
            .with("busy", scratch -> BusyDevices.measure(scratch, seconds))
            .with("soak", (scratch, figures) -> FunctionSoak.run(scratch, images, functionKills, managerKills, figures))
            .run(parts, spec, json);
    }
}
