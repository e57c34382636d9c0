package com.inaccel.coral.bench;

import com.inaccel.coral.bench.support.Scratch;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** What a benchmark consists of, by name, in the order in which it is run; single ones can be asked for. */
public final class Parts {
    /** Measures something. */
    public interface Part {
        /**
         * @param scratch a directory that goes afterwards
         * @param figures takes what was measured
         * @return false where something came out that must not
         */
        boolean measure(Path scratch, Map<String, Object> figures) throws Exception;
    }

    /** Measures what can come out in any way. */
    public interface Measurement {
        Map<String, Object> measure(Path scratch) throws Exception;
    }

    private final Map<String, Part> all = new LinkedHashMap<>();

    public Parts with(String name, Part part) {
        all.put(name, part);
        return this;
    }

    public Parts with(String name, Measurement measurement) {
        return with(name, (scratch, figures) -> {
            figures.putAll(measurement.measure(scratch));
            return true;
        });
    }

    /**
     * Runs them, and writes all figures.
     *
     * @param only those that are asked for; empty for all
     * @return the command's exit code
     */
    public int run(List<String> only, CommandSpec spec, Path json) throws Exception {
        List<String> unknown = only.stream().filter(name -> !all.containsKey(name)).toList();
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("unknown parts: only=" + unknown + ", known=" + all.keySet());
        }
        Map<String, Object> figures = Figures.begin(spec);
        boolean passed = true;
        try (Scratch scratch = Scratch.create("coral-bench-")) {
            for (Map.Entry<String, Part> part : all.entrySet()) {
                if (only.isEmpty() || only.contains(part.getKey())) {
                    Map<String, Object> measured = new LinkedHashMap<>();
                    figures.put(part.getKey(), measured);
                    passed &= part.getValue().measure(scratch.directory(), measured);
                }
            }
        }
        Figures.write(figures, json);
        return passed ? 0 : 1;
    }
}
