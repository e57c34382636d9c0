package com.inaccel.coral.ml;

import com.inaccel.coral.Coral;
import java.io.Serializable;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.apache.spark.SparkConf;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.SparkSession;
import scala.Tuple2;
import scala.collection.JavaConverters;

/**
 * The {@code spark.coral.*} keys: every one of them, its type, default and meaning, in one place. Read once a fit on the
 * driver and sent to the executors with the work.
 *
 * @param address where executors find Coral; empty: {@link Coral#defaultAddress()} of each executor
 * @param precision how features are stored and how fast they travel
 * @param requestTimeout after which one request, and with it its task, fails
 * @param passes whether passes that need no Spark job of their own take one all the same
 * @param reconnect how long sessions wait for their manager to come back; zero: not at all
 * @param linger how long what was shipped of a cached dataset waits for its next fit; zero: not at all
 * @param expectation why each executor must find a node manager; empty: one that finds none may serve itself
 */
public record CoralConf(String address, Precision precision, Duration requestTimeout, Passes passes, Duration reconnect,
        Duration linger, String expectation)
        implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Width of the features in shared memory. Everything that decides a result is computed in double either way. */
    public enum Precision {
        /** Double where a device has a double compute unit, else single. */
        AUTO,
        DOUBLE,
        SINGLE
    }

    /** How a fit goes over what was shipped. */
    public enum Passes {
        /** By one job that stays while the fit goes on, where Spark runs in the driver's process; else by a job each. */
        AUTO,
        JOBS
    }

    /** What becomes of an executor that finds no node manager. */
    private enum Fallback {
        /** As NONE where the application asks for FPGAs, else as EMBEDDED. */
        AUTO,
        NONE,
        EMBEDDED
    }

    /** One key of the registry. */
    public enum Key {
        ADDRESS("spark.coral.address", "string", "CORAL_ADDRESS, else the node's socket, else embedded:",
            "unix:PATH of a node manager's socket, or embedded: for an engine inside each executor"),
        FALLBACK("spark.coral.fallback", "auto | none | embedded", "auto",
            "what happens where no address is set and an executor finds no node manager: none, the fit fails at once; "
                + "embedded, an engine inside the executor serves; auto is none where the application asks for FPGAs (by "
                + "spark.executor.resource.fpga.amount, or in the executors' pod template), else embedded"),
        PRECISION("spark.coral.precision", "auto | double | single", "auto",
            "width of the features in shared memory; auto is double where the device has a double compute unit"),
        REQUEST_TIMEOUT("spark.coral.request.timeout", "time", "600s",
            "longest time one request may wait and run before its task fails; 1s or more"),
        PASSES("spark.coral.passes", "auto | jobs", "auto",
            "how a fit goes over its data: jobs is a Spark job for each pass; auto the same on a cluster, but where Spark runs "
                + "locally one job whose tasks stay and do pass after pass, which is faster"),
        RECONNECT("spark.coral.reconnect", "time", "30s",
            "longest time that a task waits for a node manager that went to come back, without losing what was shipped; 0s: "
                + "its task fails at once, and ships again when Spark repeats it"),
        SHIPMENT_LINGER("spark.coral.shipment.linger", "time", "60s",
            "longest time that what was shipped of a cached dataset, for fit(dataset, paramMap), waits for the next such "
                + "fit; it goes earlier if the dataset is unpersisted; 0s: it goes with each fit");

        private final String key;
        private final String type;
        private final String byDefault;
        private final String meaning;

        Key(String key, String type, String byDefault, String meaning) {
            this.key = key;
            this.type = type;
            this.byDefault = byDefault;
            this.meaning = meaning;
        }

        public String key() {
            return key;
        }
    }

    private static final String PREFIX = "spark.coral.";

    /**
     * Reads the session's configuration.
     *
     * @throws IllegalArgumentException for a {@code spark.coral.*} key that does not exist, or a value out of range
     */
    public static CoralConf of(SparkSession session) {
        return of(JavaConverters.mapAsJavaMap(session.conf().getAll()));
    }

    /** As {@link #of(SparkSession)}, before there is a session. */
    static CoralConf of(SparkConf conf) {
        return of(Arrays.stream(conf.getAll()).collect(Collectors.toMap(Tuple2::_1, Tuple2::_2)));
    }

    static CoralConf of(Map<String, String> conf) {
        conf.keySet().stream().filter(key -> key.startsWith(PREFIX)).forEach(CoralConf::requireKnown);
        String address = conf.getOrDefault(Key.ADDRESS.key, "").trim();
        return new CoralConf(
            address,
            choice(conf, Key.PRECISION, Precision.class),
            timeout(conf.getOrDefault(Key.REQUEST_TIMEOUT.key, Key.REQUEST_TIMEOUT.byDefault)),
            choice(conf, Key.PASSES, Passes.class),
            notNegative(conf, Key.RECONNECT),
            notNegative(conf, Key.SHIPMENT_LINGER),
            address.isEmpty() ? expectation(choice(conf, Key.FALLBACK, Fallback.class), conf) : "");
    }

    private static String expectation(Fallback fallback, Map<String, String> conf) {
        return switch (fallback) {
            case EMBEDDED -> "";
            case NONE -> Key.FALLBACK.key + "=none";
            case AUTO -> FpgaDemand.of(conf).orElse("");
        };
    }

    /** The keys as a table for the user guide. */
    public static String markdownTable() {
        StringBuilder table = new StringBuilder("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
        for (Key key : Key.values()) {
            table.append("| `").append(key.key).append("` | ").append(key.type.replace("|", "\\|")).append(" | ")
                .append(key.byDefault).append(" | ").append(key.meaning).append(" |\n");
        }
        return table.toString();
    }

    private static void requireKnown(String key) {
        List<String> known = Arrays.stream(Key.values()).map(Key::key).toList();
        if (!known.contains(key)) {
            String nearest = known.stream()
                .min(Comparator.comparingInt(name -> LevenshteinDistance.getDefaultInstance().apply(name, key)))
                .orElseThrow();
            throw new IllegalArgumentException(
                "unknown configuration key: key=" + key + "; did you mean " + nearest + "? known keys: " + known);
        }
    }

    private static <E extends Enum<E>> E choice(Map<String, String> conf, Key key, Class<E> choices) {
        String value = conf.getOrDefault(key.key, key.byDefault);
        try {
            return Enum.valueOf(choices, value.trim().toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                "unknown value: " + key.key + "=" + value + "; use one of " + key.type.replace(" |", ","), e);
        }
    }

    private static Duration timeout(String value) {
        long seconds = JavaUtils.timeStringAs(value, TimeUnit.SECONDS);
        if (seconds < 1) {
            throw new IllegalArgumentException(
                "timeout too short: " + Key.REQUEST_TIMEOUT.key + "=" + value + ", least=1s");
        }
        return Duration.ofSeconds(seconds);
    }

    private static Duration notNegative(Map<String, String> conf, Key key) {
        String value = conf.getOrDefault(key.key, key.byDefault);
        long millis = JavaUtils.timeStringAs(value, TimeUnit.MILLISECONDS);
        if (millis < 0) {
            throw new IllegalArgumentException("negative time: " + key.key + "=" + value + ", least=0s");
        }
        return Duration.ofMillis(millis);
    }
}
