package com.inaccel.coral.functions;

import static java.util.stream.Collectors.joining;

import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Everything that can be set about a function host and the image function: environment variables, or the flags of {@code
 * ./coral function run} over them. Immutable. A variable that starts with {@code FUNCTION_} and is none of these is refused.
 */
public final class FunctionConfig {
    /** What a value looks like. */
    enum Type {
        TEXT("text", ".*"),
        COUNT("count", "\\d{1,10}"),
        /** {@code 64MB}, powers of 1024. */
        BYTES("bytes", "\\d{1,10}(B|KB|MB|GB)"),
        /** {@code 30s}; a number without a unit counts seconds, as Kubeless writes it. */
        DURATION("duration", "\\d{1,9}(ms|s|m|h)?"),
        FLAG("flag", "true|false");

        private final String label;
        private final Pattern shape;

        Type(String label, String shape) {
            this.label = label;
            this.shape = Pattern.compile(shape, Pattern.DOTALL);
        }
    }

    /** The registry. Ranges are inclusive, in bytes, milliseconds or units. */
    public enum Key {
        HANDLER("FUNCTION_HANDLER", Type.TEXT, "com.inaccel.coral.functions.images.ImageFunction",
            "The function: a class that implements Function, or Class.method in Kubeless's form"),
        JAR("FUNCTION_JAR", Type.TEXT, "", "Jars and directories with the function's classes, separated by colons"),
        BIND("FUNCTION_BIND", Type.TEXT, "127.0.0.1", "The address to listen at: 0.0.0.0 in a container"),
        PORT("PORT", Type.COUNT, "8080", 0, 65_535, "The port, 0 for any; also FUNC_PORT"),
        TIMEOUT("FUNCTION_TIMEOUT", Type.DURATION, "60s", 1, 3_600_000,
            "After so long a call is answered with 504 and its thread interrupted; also FUNC_TIMEOUT"),
        CONCURRENCY("FUNCTION_CONCURRENCY", Type.COUNT, "16", 1, 10_000, "Calls at once; one more is answered with 429"),
        BODY_LIMIT("FUNCTION_BODY_LIMIT", Type.BYTES, "32MB", 1, 1L << 30, "The largest body of a call"),
        DRAIN("FUNCTION_DRAIN", Type.DURATION, "20s", 0, 3_600_000,
            "How long a host that stops waits for the calls that run"),
        LINGER("FUNCTION_LINGER", Type.DURATION, "2s", 0, 600_000,
            "How long a host that stops, and says so at /readyz, still takes calls: routers need a while to notice"),
        OPERATIONS("FUNCTION_OPERATIONS", Type.TEXT, "edges", "Of edges and warp, separated by commas"),
        EDGES("FUNCTION_EDGES", Type.TEXT, "", "Arguments of edges, e.g. sigma=1.4,low=50,high=100"),
        WARP("FUNCTION_WARP", Type.TEXT, "angle=30", "Arguments of warp, e.g. angle=30,scale=0.5 or matrix=1 0 0 0 1 0"),
        FORMAT("FUNCTION_FORMAT", Type.TEXT, "keep", "Of results: keep, png, jpeg or tiff; WebP is read but not written"),
        OUTPUT_BUCKET("FUNCTION_OUTPUT_BUCKET", Type.TEXT, "", "Where results go; the object's own bucket if empty"),
        OUTPUT_PREFIX("FUNCTION_OUTPUT_PREFIX", Type.TEXT, "processed/", "What the keys of results begin with"),
        FAILED_PREFIX("FUNCTION_FAILED_PREFIX", Type.TEXT, "failed/",
            "What the keys of objects that cannot be processed begin with, and of the reasons beside them"),
        PIXEL_LIMIT("FUNCTION_PIXEL_LIMIT", Type.COUNT, "100000000", 1, 1_000_000_000, "The most pixels of an image"),
        OBJECT_LIMIT("FUNCTION_OBJECT_LIMIT", Type.BYTES, "256MB", 1, 1L << 30, "The largest object"),
        S3_ENDPOINT("FUNCTION_S3_ENDPOINT", Type.TEXT, "",
            "URL of the object store, e.g. http://minio:9000; Amazon's if empty. Credentials and region come as the AWS SDK "
                + "finds them"),
        S3_PATH_STYLE("FUNCTION_S3_PATH_STYLE", Type.FLAG, "true",
            "Whether buckets are in the path of URLs, not in the name of the host");

        private final String variable;
        private final Type type;
        private final String byDefault;
        private final long least;
        private final long most;
        private final String description;

        Key(String variable, Type type, String byDefault, String description) {
            this(variable, type, byDefault, 0, Long.MAX_VALUE, description);
        }

        Key(String variable, Type type, String byDefault, long least, long most, String description) {
            this.variable = variable;
            this.type = type;
            this.byDefault = byDefault;
            this.least = least;
            this.most = most;
            this.description = description;
        }

        public String variable() {
            return variable;
        }

        private String range() {
            return switch (type) {
                case TEXT -> "";
                case FLAG -> "true or false";
                case COUNT -> least + " to " + most;
                case BYTES -> least + " B to " + (most >> 20) + " MB";
                case DURATION -> least + " ms to " + most / 1000 + " s";
            };
        }
    }

    private static final String PREFIX = "FUNCTION_";
    /** What Kubernetes adds for a service whose name starts with function. */
    private static final Pattern SERVICE_VARIABLE = Pattern.compile("FUNCTION_(?:[A-Z0-9_]+_)?"
        + "(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)");
    private static final Pattern NUMBER = Pattern.compile("(\\d+)([A-Za-z]*)");

    private final Map<Key, String> values = new EnumMap<>(Key.class);

    private FunctionConfig(Map<String, String> environment) {
        refuseUnknown(environment);
        for (Key key : Key.values()) {
            String given = environment.getOrDefault(key.variable, "").trim();
            values.put(key, given.isEmpty() ? kubeless(key, environment).orElse(key.byDefault) : given);
        }
        Arrays.stream(Key.values()).forEach(this::check);
    }

    /** @throws IllegalArgumentException for an unknown variable or a value outside its range */
    public static FunctionConfig of(Map<String, String> environment) {
        return new FunctionConfig(environment);
    }

    /** What Kubeless sets in its pods counts where the variable of our own is not set. */
    private static Optional<String> kubeless(Key key, Map<String, String> environment) {
        UnaryOperator<String> value = name -> environment.getOrDefault(name, "").trim();
        String found = switch (key) {
            case PORT -> value.apply("FUNC_PORT");
            case TIMEOUT -> value.apply("FUNC_TIMEOUT");
            case HANDLER -> value.apply("MOD_NAME").isEmpty() || value.apply("FUNC_HANDLER").isEmpty() ? ""
                : value.apply("MOD_NAME") + "." + value.apply("FUNC_HANDLER");
            default -> "";
        };
        return Optional.of(found).filter(text -> !text.isEmpty());
    }

    private static void refuseUnknown(Map<String, String> environment) {
        List<String> known = Arrays.stream(Key.values()).map(Key::variable).toList();
        for (String name : environment.keySet()) {
            if (name.startsWith(PREFIX) && !known.contains(name) && !SERVICE_VARIABLE.matcher(name).matches()) {
                throw new IllegalArgumentException("unknown variable: name=" + name + ", known="
                    + known.stream().filter(one -> one.startsWith(PREFIX)).collect(joining(", ")));
            }
        }
    }

    private void check(Key key) {
        String text = values.get(key);
        if (!key.type.shape.matcher(text).matches()) {
            throw invalid(key);
        }
        if (key.type == Type.COUNT || key.type == Type.BYTES || key.type == Type.DURATION) {
            long number = number(key);
            if (number < key.least || number > key.most) {
                throw invalid(key);
            }
        }
    }

    private IllegalArgumentException invalid(Key key) {
        return new IllegalArgumentException("not a value for this variable: " + key.variable + "=" + values.get(key)
            + "; give a " + key.type.label + (key.range().isEmpty() ? "" : ", " + key.range()));
    }

    /** In bytes, milliseconds or units. */
    private long number(Key key) {
        Matcher matcher = NUMBER.matcher(values.get(key));
        if (!matcher.matches()) {
            throw invalid(key);
        }
        long number = Long.parseLong(matcher.group(1));
        return number * switch (matcher.group(2).toUpperCase(Locale.ROOT)) {
            case "KB" -> 1L << 10;
            case "MB" -> 1L << 20;
            case "GB" -> 1L << 30;
            case "S" -> 1_000L;
            case "M" -> 60_000L;
            case "H" -> 3_600_000L;
            case "" -> key.type == Type.DURATION ? 1_000L : 1L;
            default -> 1L;
        };
    }

    public String text(Key key) {
        return values.get(key);
    }

    public int count(Key key) {
        return Math.toIntExact(number(key));
    }

    public long bytes(Key key) {
        return number(key);
    }

    public Duration duration(Key key) {
        return Duration.ofMillis(number(key));
    }

    public boolean flag(Key key) {
        return Boolean.parseBoolean(values.get(key));
    }

    /** The registry as a table in Markdown. */
    public static String markdown() {
        return Arrays.stream(Key.values())
            .map(key -> "| `" + key.variable + "` | " + key.type.label + " | "
                + (key.byDefault.isEmpty() ? "" : "`" + key.byDefault + "`") + " | " + key.range() + " | " + key.description
                + " |")
            .collect(joining("\n", "| variable | type | default | range | meaning |\n| --- | --- | --- | --- | --- |\n", "\n"));
    }
}
