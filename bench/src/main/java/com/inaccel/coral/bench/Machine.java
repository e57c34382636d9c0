package com.inaccel.coral.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** What the figures were measured on. */
final class Machine {
    private Machine() { }

    static Map<String, String> describe() throws IOException {
        Map<String, String> machine = new LinkedHashMap<>();
        machine.put("cpu", valueOf(Path.of("/proc/cpuinfo"), "model name"));
        machine.put("vectorUnits", vectorUnits(valueOf(Path.of("/proc/cpuinfo"), "flags")));
        machine.put("cores", Integer.toString(Runtime.getRuntime().availableProcessors()));
        machine.put("memory", valueOf(Path.of("/proc/meminfo"), "MemTotal"));
        machine.put("kernel", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        machine.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
        machine.put("loadBefore", Files.readString(Path.of("/proc/loadavg")).split(" ")[0]);
        return machine;
    }

    private static String valueOf(Path file, String key) throws IOException {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(key)).findFirst()
                .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse("unknown");
        }
    }

    private static String vectorUnits(String flags) {
        for (String unit : new String[] {"avx512f", "avx2", "avx", "asimd"}) {
            if (flags.contains(unit)) {
                return unit;
            }
        }
        return "unknown";
    }
}
