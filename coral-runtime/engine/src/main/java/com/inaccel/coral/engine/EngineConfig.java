package com.inaccel.coral.engine;

import static java.util.function.Function.identity;
import static java.util.stream.Collectors.joining;
import static java.util.stream.Collectors.toMap;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Everything that can be set about an engine and the node manager around it: one registry of typed keys, whatever a value
 * comes from. An engine without a manager ignores the manager's keys. Immutable.
 *
 * <p>{@code coral.memory.limit} is {@code CORAL_MEMORY_LIMIT} in the environment and {@code --memory-limit} on the command
 * line. A key that does not exist is refused.
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
        COUNT("count"),
        /** {@code 127.0.0.1:9440}, {@code [::1]:9440}; empty for none. */
        ADDRESS("address"),
        /** A file, {@code -} for standard output, empty for none. */
        FILE("file"),
        /** What something is called elsewhere; may be empty. */
        NAME("name");

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
        EMULATE_RUN("coral.emulate.run", Type.DURATION, "0ms", 0, 60_000,
            "Least time that one run takes on an emulated device, whose processor is then as free as beside an FPGA"),
        EMULATE_UNITS("coral.emulate.units", Type.COUNT, "1", 1, 16,
            "Compute units of each accelerator on an emulated device, unless its bitstream has more"),
        SYSFS("coral.sysfs", Type.FILE, "/sys", "DIR",
            "Where the machine's sysfs is mounted: FPGA cards, their health and their shells are found there"),
        BITSTREAMS("coral.bitstreams", Type.LIST, "", "directories",
            "Repositories: directories that bitstreams are installed into, or that hold directories with a bitstream.json"),
        BITSTREAMS_REFRESH("coral.bitstreams.refresh", Type.DURATION, "1s", 0, 3_600_000,
            "Pause between two looks for bitstreams installed or removed meanwhile; 0s: they count from the next start"),
        BITSTREAMS_SIGNATURES("coral.bitstreams.signatures", Type.WORD, "optional", "optional|required",
            "required: besides the built-in bitstreams only those are used that a trusted key has signed"),
        BITSTREAMS_TRUST("coral.bitstreams.trust", Type.LIST, "", "files and directories",
            "Trusted public keys (Ed25519): PEM files, and directories of *.pub"),
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
        STARVATION("coral.scheduler.starvation", Type.DURATION, "10s", 0, 3_600_000,
            "Longest round of all who wait for the devices of one platform: a device stays with its bitstream no longer while others fall behind"),
        DEVICE_LANES("coral.device.lanes", Type.COUNT, "0", 0, 64,
            "Requests that one device works on at once, those being copied included; 0: as many as its compute units, and"
                + " where it copies one more"),
        DEVICE_HANG("coral.device.hang", Type.DURATION, "1m", 10, 86_400_000,
            "A device with memory of its own that takes longer to program itself, copy or run a request counts as hung: all"
                + " that it works on runs again elsewhere"),
        DEVICE_PROBE("coral.device.probe", Type.DURATION, "1s", 1, 3_600_000,
            "Pause between two attempts to bring a failed device back"),
        CLIENTS_CONNECTIONS("coral.clients.connections", Type.COUNT, "1024", 1, 65_536,
            "Clients that the node manager serves at once, half of them set aside in equal parts for its allocations; one more "
                + "is refused with QUEUE_FULL"),
        CLIENTS_REQUESTS("coral.clients.requests", Type.COUNT, "1024", 1, 1_000_000,
            "Requests that one client of the node manager may have outstanding; one more is refused with QUEUE_FULL"),
        CLIENTS_MESSAGES("coral.clients.messages", Type.COUNT, "50000", 100, 10_000_000,
            "Messages a second that the clients of one allocation may send together; the node manager reads the rest later"),
        CLIENTS_HANDSHAKE("coral.clients.handshake", Type.DURATION, "10s", 10, 600_000,
            "How long the node manager waits for a client that has connected to say hello"),
        CLIENTS_DRAIN("coral.clients.drain", Type.DURATION, "10s", 0, 3_600_000,
            "How long a node manager that stops waits for outstanding requests to end"),
        STANDBY("coral.standby", Type.DURATION, "0s", 0, 86_400_000,
            "How long a node manager waits for another one of the same directory to end, to take over from it; 0s: it gives up "
                + "at once"),
        CONSOLE("coral.console", Type.ADDRESS, "", "HOST:PORT of this machine",
            "Where the node manager serves its console and metrics; nowhere if empty"),
        METRICS("coral.metrics", Type.ADDRESS, "", "HOST:PORT",
            "Where the node manager serves its metrics alone, also to other machines; nowhere if empty"),
        EVENTS("coral.events", Type.FILE, "", "FILE or -",
            "Where the node manager appends its event log, one JSON object a line; - is standard output, nowhere if empty"),
        SHARE("coral.share", Type.COUNT, "1", 1, 64,
            "Containers that one FPGA is offered to at once on Kubernetes, each for an equal part of its time"),
        KUBERNETES_PLUGINS("coral.kubernetes.plugins", Type.FILE, "", "DIR",
            "The kubelet's directory of device plugins, /var/lib/kubelet/device-plugins as a rule; if empty, the node manager "
                + "offers Kubernetes nothing"),
        KUBERNETES_PODS("coral.kubernetes.pods", Type.FILE, "/var/lib/kubelet/pod-resources/kubelet.sock", "FILE",
            "The kubelet's socket that tells which pod has which device: allocations whose pods have gone are taken back"),
        KUBERNETES_RESOURCES("coral.kubernetes.resources", Type.LIST, "xilinx=xilinx.com/fpga,intel=intel.com/fpga",
            "VENDOR=DOMAIN/NAME", "Resources that pods ask for, and whose FPGAs they get"),
        KUBERNETES_REFRESH("coral.kubernetes.refresh", Type.DURATION, "1s", 1, 600_000,
            "Pause between two looks at the health of the devices, and at whether the kubelet was started again"),
        KUBERNETES_GRACE("coral.kubernetes.grace", Type.DURATION, "1m", 1, 86_400_000,
            "How long the kubelet may name no pod for an allocation before it is taken back"),
        KUBERNETES_NODE("coral.kubernetes.node", Type.NAME, "", "NAME",
            "The node's name in Kubernetes, spec.nodeName of the manager's pod, to label it with its FPGAs; if empty, it is "
                + "not labelled");

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
            this(id, type, byDefault, ConfigValues.render(type, least) + " to " + ConfigValues.render(type, most), least, most,
                description);
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

        public String range() {
            return range;
        }

        public String description() {
            return description;
        }

        /** The key as an environment variable, e.g. {@code CORAL_MEMORY_LIMIT}. */
        public String variable() {
            return id.toUpperCase(Locale.ROOT).replace('.', '_');
        }

        /** The key as a flag, e.g. {@code --memory-limit}. */
        public String flag() {
            return "--" + id.substring(PREFIX.length()).replace('.', '-');
        }
    }

    /** Where a value comes from; the later wins. */
    private enum Source { DEFAULT, FILE, ENVIRONMENT, PROPERTY, FLAG, PROGRAM }

    private record Value(String text, Source source) { }

    private static final String PREFIX = "coral.";
    private static final String VARIABLE_PREFIX = "CORAL_";
    /** Read by the launcher and by clients. */
    private static final Set<String> OTHER_VARIABLES = Set.of("CORAL_ADDRESS", "CORAL_INSTALL", "CORAL_RECONNECT");
    /** What Kubernetes adds for each service: nobody's mistake where its name starts with coral. */
    private static final Pattern SERVICE_VARIABLE = Pattern.compile("CORAL_(?:[A-Z0-9_]+_)?"
        + "(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)");
    /** A service's variable this many letters away from a key's is taken for a misspelling of it. */
    private static final int TYPO_DISTANCE = 2;

    private final Map<Key, Value> values = new EnumMap<>(Key.class);

    private EngineConfig(Map<Source, Map<String, String>> layers) {
        for (Key key : Key.values()) {
            values.put(key, new Value(key.byDefault, Source.DEFAULT));
        }
        layers.forEach((source, given) -> given.forEach((id, text) ->
            values.put(keyOf(id, source), new Value(text.trim(), source))));
        for (Key key : Key.values()) {
            check(key);
        }
        if (word(Key.DEVICES).equals("host") && !list(Key.EMULATE).isEmpty()) {
            throw invalid(Key.EMULATE, text(Key.EMULATE), "emulated devices need coral.devices=auto or opencl");
        }
    }

    public static EngineConfig defaults() {
        return of(Map.of());
    }

    /** @throws CoralException INVALID_ARGUMENT for an unknown key or a value outside its range */
    public static EngineConfig of(Map<String, String> values) {
        return new EngineConfig(Map.of(Source.PROGRAM, values));
    }

    /** {@code CORAL_*} variables, overridden by {@code coral.*} system properties. */
    public static EngineConfig fromEnvironment() {
        return load(Optional.empty(), System.getenv(), System.getProperties(), Map.of());
    }

    /**
     * Merges a properties file, {@code CORAL_*} variables, {@code coral.*} system properties and flags: each overrides those
     * before it.
     *
     * @throws CoralException INVALID_ARGUMENT for an unreadable file, an unknown key or a value outside its range
     */
    public static EngineConfig load(
            Optional<Path> file, Map<String, String> environment, Properties properties, Map<Key, String> flags) {
        Map<Source, Map<String, String>> layers = new EnumMap<>(Source.class);
        file.ifPresent(path -> layers.put(Source.FILE, strings(read(path))));
        Map<String, String> ofVariables = new TreeMap<>();
        environment.forEach((variable, value) -> {
            if (variable.startsWith(VARIABLE_PREFIX)) {
                keyOfVariable(variable).ifPresent(key -> ofVariables.put(key.id, value));
            }
        });
        layers.put(Source.ENVIRONMENT, ofVariables);
        Map<String, String> ofProperties = strings(properties);
        ofProperties.keySet().removeIf(name -> !name.startsWith(PREFIX));
        layers.put(Source.PROPERTY, ofProperties);
        Map<String, String> ofFlags = new TreeMap<>();
        flags.forEach((key, value) -> ofFlags.put(key.id, value));
        layers.put(Source.FLAG, ofFlags);
        return new EngineConfig(layers);
    }

    private static Properties read(Path file) {
        Properties properties = new Properties();
        try (BufferedReader reader = Files.newBufferedReader(file)) {
            properties.load(reader);
        } catch (IOException | IllegalArgumentException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "cannot read configuration: file=" + file + ", cause=" + e + "; pass a properties file", e);
        }
        return properties;
    }

    private static Map<String, String> strings(Properties properties) {
        return properties.stringPropertyNames().stream()
            .collect(toMap(identity(), properties::getProperty, (one, other) -> other, TreeMap::new));
    }

    public String word(Key key) {
        return text(key);
    }

    public List<String> list(Key key) {
        return Arrays.stream(text(key).split(",")).map(String::trim).filter(item -> !item.isEmpty()).toList();
    }

    public List<Path> paths(Key key) {
        return list(key).stream().map(Path::of).toList();
    }

    public long bytes(Key key) {
        return ConfigValues.bytes(key, text(key));
    }

    public Duration duration(Key key) {
        return Duration.ofMillis(ConfigValues.millis(key, text(key)));
    }

    /** Resolved; empty where the key has no value. */
    public Optional<InetSocketAddress> address(Key key) {
        return ConfigValues.address(key, text(key))
            .map(address -> new InetSocketAddress(address.getHostString(), address.getPort()));
    }

    /** As it was written: a path, {@code -}, or empty. */
    public String file(Key key) {
        return text(key);
    }

    public int count(Key key) {
        return Math.toIntExact(ConfigValues.count(key, text(key)));
    }

    /** The effective values and where each comes from, one {@code key = value (source)} a line. */
    public String describe() {
        return Arrays.stream(Key.values()).map(key -> key.id + " = " + text(key) + (text(key).isEmpty() ? "(" : " (")
            + values.get(key).source.name().toLowerCase(Locale.ROOT)
            + (text(key).endsWith("%") ? ", " + bytes(key) + " bytes" : "") + ")").collect(joining("\n"));
    }

    /** The registry as a table in Markdown. */
    public static String markdown() {
        return Arrays.stream(Key.values())
            .map(key -> "| `" + key.id + "` | " + key.type.label + " | "
                + (key.byDefault.isEmpty() ? "" : "`" + key.byDefault + "`") + " | "
                + key.range.replace("|", "\\|") + " | " + key.description + " |")
            .collect(joining("\n", "| key | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n", "\n"));
    }

    private String text(Key key) {
        return values.get(key).text;
    }

    private void check(Key key) {
        switch (key.type) {
            case WORD -> {
                if (!List.of(key.range.split("\\|")).contains(text(key))) {
                    throw invalid(key, text(key), "use a value in the range");
                }
            }
            case BYTES -> checkRange(key, bytes(key));
            case DURATION -> checkRange(key, ConfigValues.millis(key, text(key)));
            case COUNT -> checkRange(key, ConfigValues.count(key, text(key)));
            case ADDRESS -> ConfigValues.address(key, text(key));
            case LIST, FILE, NAME -> { }
        }
    }

    private void checkRange(Key key, long number) {
        if (number < key.least || number > key.most) {
            throw invalid(key, text(key), "use a value in the range");
        }
    }

    private static Key keyOf(String id, Source source) {
        return Arrays.stream(Key.values()).filter(key -> key.id.equals(id)).findFirst()
            .orElseThrow(() -> unknown(id, source, nearest(id.toUpperCase(Locale.ROOT).replace('.', '_')).id));
    }

    private static Optional<Key> keyOfVariable(String variable) {
        Key nearest = nearest(variable);
        int distance = Spelling.distance(variable, nearest.variable());
        if (distance == 0) {
            return Optional.of(nearest);
        }
        boolean others = OTHER_VARIABLES.contains(variable)
            || (SERVICE_VARIABLE.matcher(variable).matches() && distance > TYPO_DISTANCE);
        if (!others) {
            throw unknown(variable, Source.ENVIRONMENT, nearest.variable());
        }
        return Optional.empty();
    }

    private static Key nearest(String variable) {
        return Arrays.stream(Key.values())
            .min(Comparator.comparingInt(key -> Spelling.distance(variable, key.variable()))).orElseThrow();
    }

    static CoralException invalid(Key key, String value, String fix) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "invalid configuration: key=" + key.id + ", value=" + value + ", type=" + key.type.label + ", range="
                + key.range + "; " + fix);
    }

    private static CoralException unknown(String id, Source source, String nearest) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "unknown configuration key: key=" + id + ", source=" + source.name().toLowerCase(Locale.ROOT)
                + "; did you mean " + nearest + "?");
    }
}
