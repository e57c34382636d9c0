package com.inaccel.coral.engine;

import static java.util.stream.Collectors.joining;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;

/**
 * Everything that can be set about an engine: one registry of typed keys, whatever a value comes from. Immutable.
 *
 * <p>{@code coral.memory.limit} is {@code CORAL_MEMORY_LIMIT} in the environment. A key that does not exist is refused.
 */
public final class EngineConfig {
    /** What a value looks like and what it counts in. */
    public enum Type {
        /** One of the words that the range lists. */
        WORD("word"),
        /** Comma-separated; may be empty. */
        LIST("list"),
        /** {@code 64MB}, powers of 1024; or {@code 50%} of the memory of this machine or control group. */
        BYTES("bytes"),
        /** {@code 30s}; ms, s, m, h. */
        DURATION("duration"),
        COUNT("count");

        private final String label;

        Type(String label) {
            this.label = label;
        }
    }

    /** The registry. Ranges are inclusive, in bytes, milliseconds or units, as the type has it. */
    public enum Key {
        DEVICES("coral.devices", Type.WORD, "auto", "auto|opencl|host",
            "Devices to use: auto takes the emulated ones if any are configured, else OpenCL's, else the pure-Java host device"),
        EMULATE("coral.emulate", Type.LIST, "", "VENDOR/PLATFORM:COUNT",
            "FPGAs to emulate on the host, e.g. xilinx/u250:2,intel/pac:1"),
        EMULATE_MEMORY("coral.emulate.memory", Type.BYTES, "1GB", 1L << 20, 1L << 40,
            "Memory of one emulated device"),
        EMULATE_PROGRAMMING("coral.emulate.programming", Type.DURATION, "200ms", 0, 600_000,
            "Time that programming an emulated device takes"),
        BITSTREAMS("coral.bitstreams", Type.LIST, "", "directories",
            "Directories that hold bitstreams, each in a directory with its bitstream.json"),
        MEMORY_LIMIT("coral.memory.limit", Type.BYTES, "50%", 1L << 16, 1L << 50,
            "Shared memory that all segments together may take"),
        MEMORY_SEGMENTS("coral.memory.segments", Type.COUNT, "4096", 1, 1_000_000,
            "Segments of one allocation, freed ones kept for reuse included; each takes a file descriptor. All allocations "
                + "together may have four times as many, half of them set aside in equal parts"),
        MEMORY_POOL("coral.memory.pool", Type.BYTES, "25%", 0, 1L << 50,
            "Freed shared memory kept for reuse by the allocation that freed it"),
        MEMORY_POOL_IDLE("coral.memory.pool.idle", Type.DURATION, "10s", 0, 86_400_000,
            "How long freed shared memory waits for reuse before it is given back"),
        QUEUE_LIMIT("coral.queue.limit", Type.COUNT, "4096", 1, 1_000_000,
            "Requests of one allocation that may wait for a device; one more is refused with QUEUE_FULL"),
        ALLOCATIONS("coral.allocations", Type.COUNT, "64", 1, 1_024,
            "Allocations that the manager can serve beside the node's own; each is sure of an equal part of half of the "
                + "segments and connections"),
        STARVATION("coral.scheduler.starvation", Type.DURATION, "1s", 0, 3_600_000,
            "Longest time that a request is passed over in favour of what is programmed and resident"),
        DEVICE_HANG("coral.device.hang", Type.DURATION, "1m", 10, 86_400_000,
            "A request running longer on a device with memory of its own counts as hung and runs again elsewhere"),
        DEVICE_PROBE("coral.device.probe", Type.DURATION, "1s", 1, 3_600_000,
            "Pause between two attempts to bring a failed device back");

        private final String id;
        private final Type type;
        private final String byDefault;
        private final String range;
        private final long least;
        private final long most;
        private final String description;

        Key(String id, Type type, String byDefault, String range, String description) {
            this(id, type, byDefault, range, 0, 0, description);
        }

        Key(String id, Type type, String byDefault, long least, long most, String description) {
            this(id, type, byDefault, render(type, least) + " to " + render(type, most), least, most, description);
        }

        Key(String id, Type type, String byDefault, String range, long least, long most, String description) {
            this.id = id;
            this.type = type;
            this.byDefault = byDefault;
            this.range = range;
            this.least = least;
            this.most = most;
            this.description = description;
        }

        /** The key as it is written, e.g. {@code coral.memory.limit}. */
        public String id() {
            return id;
        }

        public Type type() {
            return type;
        }

        public String byDefault() {
            return byDefault;
        }

        public String description() {
            return description;
        }

        /** The key as an environment variable, e.g. {@code CORAL_MEMORY_LIMIT}. */
        public String variable() {
            return id.toUpperCase(Locale.ROOT).replace('.', '_');
        }
    }

    private static final String PREFIX = "coral.";
    private static final String VARIABLE_PREFIX = "CORAL_";
    /** A variable at most this many letters away from a known one is taken for a misspelling of it. */
    private static final int TYPO_DISTANCE = 2;

    private final Map<Key, String> values = new EnumMap<>(Key.class);

    private EngineConfig(Map<String, String> given) {
        for (Key key : Key.values()) {
            values.put(key, key.byDefault);
        }
        given.forEach((id, value) -> values.put(keyOf(id), value.trim()));
        values.forEach(EngineConfig::check);
        if (word(Key.DEVICES).equals("host") && !list(Key.EMULATE).isEmpty()) {
            throw invalid(Key.EMULATE, value(Key.EMULATE), "emulated devices need coral.devices=auto or opencl");
        }
    }

    public static EngineConfig defaults() {
        return of(Map.of());
    }

    /** @throws CoralException INVALID_ARGUMENT for an unknown key or a value outside its range */
    public static EngineConfig of(Map<String, String> values) {
        return new EngineConfig(values);
    }

    /** {@code CORAL_*} variables, overridden by {@code coral.*} system properties. */
    public static EngineConfig fromEnvironment() {
        return fromEnvironment(System.getenv(), System.getProperties());
    }

    /**
     * Variables that only share the prefix (Kubernetes adds {@code CORAL_SERVICE_HOST} for a service named coral) are
     * nobody's mistake and pass; those that look like a misspelt key do not.
     */
    static EngineConfig fromEnvironment(Map<String, String> environment, Properties properties) {
        Map<String, String> given = new TreeMap<>();
        environment.forEach((variable, value) -> {
            if (variable.startsWith(VARIABLE_PREFIX)) {
                keyOfVariable(variable).ifPresent(key -> given.put(key.id, value));
            }
        });
        properties.stringPropertyNames().stream().filter(name -> name.startsWith(PREFIX))
            .forEach(name -> given.put(name, properties.getProperty(name)));
        return of(given);
    }

    String word(Key key) {
        return value(key);
    }

    List<String> list(Key key) {
        return Arrays.stream(value(key).split(",")).map(String::trim).filter(item -> !item.isEmpty()).toList();
    }

    List<Path> paths(Key key) {
        return list(key).stream().map(Path::of).toList();
    }

    long bytes(Key key) {
        return parseBytes(key, value(key));
    }

    Duration duration(Key key) {
        return Duration.ofMillis(parseMillis(key, value(key)));
    }

    int count(Key key) {
        return Math.toIntExact(parseNumber(key, value(key), value(key)));
    }

    /** The effective values, one {@code key = value} a line. */
    public String describe() {
        return values.entrySet().stream()
            .map(entry -> entry.getKey().id + " = " + entry.getValue()
                + (entry.getValue().endsWith("%") ? " (" + bytes(entry.getKey()) + " bytes)" : ""))
            .collect(joining("\n"));
    }

    /** The registry as a table in Markdown. */
    public static String markdown() {
        return Arrays.stream(Key.values())
            .map(key -> "| `" + key.id + "` | " + key.type.label + " | "
                + (key.byDefault.isEmpty() ? "" : "`" + key.byDefault + "`") + " | "
                + key.range.replace("|", "\\|") + " | " + key.description + " |")
            .collect(joining("\n", "| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n", "\n"));
    }

    private String value(Key key) {
        return values.get(key);
    }

    private static void check(Key key, String value) {
        switch (key.type) {
            case WORD -> {
                if (!List.of(key.range.split("\\|")).contains(value)) {
                    throw invalid(key, value, "use " + key.range);
                }
            }
            case BYTES -> checkRange(key, value, parseBytes(key, value));
            case DURATION -> checkRange(key, value, parseMillis(key, value));
            case COUNT -> checkRange(key, value, parseNumber(key, value, value));
            case LIST -> { }
        }
    }

    private static void checkRange(Key key, String value, long number) {
        if (number < key.least || number > key.most) {
            throw invalid(key, value, "use " + key.range);
        }
    }

    private static long parseBytes(Key key, String value) {
        String upper = value.toUpperCase(Locale.ROOT);
        if (upper.endsWith("%")) {
            long percent = parseNumber(key, value, upper.substring(0, upper.length() - 1));
            if (percent > 100) {
                throw invalid(key, value, "use at most 100%");
            }
            return machineMemoryBytes() / 100 * percent;
        }
        String[] units = {"TB", "GB", "MB", "KB", "B", ""};
        long[] sizes = {1L << 40, 1L << 30, 1L << 20, 1L << 10, 1, 1};
        return parseWithUnit(key, value, upper, units, sizes);
    }

    private static long parseMillis(Key key, String value) {
        return parseWithUnit(key, value, value.toLowerCase(Locale.ROOT),
            new String[] {"ms", "s", "m", "h"}, new long[] {1, 1_000, 60_000, 3_600_000});
    }

    private static long parseWithUnit(Key key, String value, String folded, String[] units, long[] sizes) {
        for (int i = 0; i < units.length; i++) {
            if (folded.endsWith(units[i])) {
                long number = parseNumber(key, value, folded.substring(0, folded.length() - units[i].length()));
                try {
                    return Math.multiplyExact(number, sizes[i]);
                } catch (ArithmeticException e) {
                    throw invalid(key, value, "use " + key.range);
                }
            }
        }
        throw invalid(key, value, "add a unit: " + String.join(", ", units));
    }

    private static long parseNumber(Key key, String value, String digits) {
        try {
            long number = Long.parseLong(digits.trim());
            if (number >= 0) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw invalid(key, value, "use " + key.range);
        }
        throw invalid(key, value, "use " + key.range);
    }

    /** Of the control group where it has a limit, else of the machine: the JVM knows both. */
    private static long machineMemoryBytes() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getTotalMemorySize();
    }

    private static Key keyOf(String id) {
        return Arrays.stream(Key.values()).filter(key -> key.id.equals(id)).findFirst()
            .orElseThrow(() -> unknown(id, nearest(id.toUpperCase(Locale.ROOT).replace('.', '_')).id));
    }

    private static Optional<Key> keyOfVariable(String variable) {
        Key nearest = nearest(variable);
        int distance = distance(variable, nearest.variable());
        if (distance > 0 && distance <= TYPO_DISTANCE) {
            throw unknown(variable, nearest.variable());
        }
        return distance == 0 ? Optional.of(nearest) : Optional.empty();
    }

    private static Key nearest(String variable) {
        return Arrays.stream(Key.values())
            .min(Comparator.comparingInt(key -> distance(variable, key.variable()))).orElseThrow();
    }

    /** Levenshtein's: letters to insert, delete or replace. */
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        Arrays.setAll(row, j -> j);
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }

    private static String render(Type type, long value) {
        List<String> units = new ArrayList<>(type == Type.BYTES ? List.of("B", "KB", "MB", "GB", "TB") : List.of("ms"));
        if (type == Type.COUNT) {
            return Long.toString(value);
        }
        while (units.size() > 1 && value >= 1024 && value % 1024 == 0) {
            value /= 1024;
            units.remove(0);
        }
        return value + units.get(0);
    }

    private static CoralException invalid(Key key, String value, String fix) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "invalid configuration: key=" + key.id + ", value=" + value + ", type=" + key.type.label + "; " + fix);
    }

    private static CoralException unknown(String id, String nearest) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "unknown configuration key: key=" + id + "; did you mean " + nearest + "?");
    }
}
