package com.inaccel.coral.bench.images;

import com.inaccel.coral.bench.Figures;
import java.nio.file.Path;
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
    private static final List<String> PARTS = List.of("kernels");

    @Option(names = "--only", split = ",", paramLabel = "PART", description = "of kernels")
    private List<String> parts = PARTS;

    @Option(names = "--rounds", defaultValue = "21", paramLabel = "N",
        description = "timed rounds of each pair of contestants of kernels (${DEFAULT-VALUE})")
    private int rounds;

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
        for (String part : PARTS.stream().filter(parts::contains).toList()) {
            figures.put(part, Kernels.measure(rounds));
        }
        Figures.write(figures, json);
        return 0;
    }
}
