package com.inaccel.coral;

import com.inaccel.coral.protocol.SocketSession;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The way in: {@code try (Session session = Coral.open()) { … }}.
 *
 * <p>An address is {@code unix:PATH} (a node manager's socket) or {@code embedded:} (the same engine inside this JVM,
 * which wants coral's engine on the class path).
 */
public final class Coral {
    /** Environment variable with the address. */
    public static final String ADDRESS_VARIABLE = "CORAL_ADDRESS";
    /** Environment variable with the time that a session looks for a new manager when its own goes, e.g. {@code 30s}. */
    public static final String RECONNECT_VARIABLE = "CORAL_RECONNECT";
    /** Where a node's manager listens unless told otherwise. */
    public static final String DEFAULT_SOCKET = "/run/coral/coral.sock";
    public static final String EMBEDDED = "embedded:";
    private static final String UNIX = "unix:";
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h)");

    private Coral() { }

    /** Opens a session at {@link #defaultAddress()}. */
    public static Session open() {
        return open(defaultAddress());
    }

    /**
     * Opens a session.
     *
     * @throws CoralException NO_MANAGER when nothing listens there, PROTOCOL_MISMATCH when a manager of another version
     *     does, INVALID_ARGUMENT for an address of another form
     */
    public static Session open(String address) {
        return open(address, defaultReconnect(System.getenv()));
    }

    /**
     * Like {@link #open(String)}.
     *
     * @param reconnect how long the session looks for a new manager when its own goes; zero: it ends at once. Means
     *     nothing to {@code embedded:}
     */
    public static Session open(String address, Duration reconnect) {
        if (reconnect.isNegative()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a time to reconnect in: reconnect=" + reconnect + "; use zero or more");
        }
        if (address.startsWith(UNIX)) {
            return SocketSession.connect(Path.of(address.substring(UNIX.length())), reconnect);
        }
        if (address.equals(EMBEDDED)) {
            return embedded().open();
        }
        throw new CoralException(ErrorCode.INVALID_ARGUMENT,
            "not a Coral address: address=" + address + "; use unix:PATH or " + EMBEDDED);
    }

    /** CORAL_ADDRESS where it is set; else the default socket where it exists; else {@code embedded:}. */
    public static String defaultAddress() {
        return defaultAddress(System.getenv(), Path.of(DEFAULT_SOCKET));
    }

    /** CORAL_RECONNECT where it is set, else half a minute. */
    static Duration defaultReconnect(Map<String, String> environment) {
        String configured = environment.getOrDefault(RECONNECT_VARIABLE, "").trim();
        if (configured.isEmpty()) {
            return SocketSession.RECONNECT;
        }
        Matcher duration = DURATION.matcher(configured);
        if (!duration.matches()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a time: " + RECONNECT_VARIABLE + "=" + configured
                + "; write a number with ms, s, m or h");
        }
        long number = Long.parseLong(duration.group(1));
        return switch (duration.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
    }

    static String defaultAddress(Map<String, String> environment, Path defaultSocket) {
        String configured = environment.get(ADDRESS_VARIABLE);
        if (configured != null && !configured.isBlank()) {
            return configured.trim();
        }
        return Files.exists(defaultSocket) ? UNIX + defaultSocket : EMBEDDED;
    }

    private static SessionProvider embedded() {
        Iterator<SessionProvider> providers =
            ServiceLoader.load(SessionProvider.class, Coral.class.getClassLoader()).iterator();
        if (!providers.hasNext()) {
            throw new CoralException(ErrorCode.NO_MANAGER,
                "no engine on the class path: address=" + EMBEDDED + "; add coral-engine, or name a manager with "
                    + ADDRESS_VARIABLE + "=unix:PATH");
        }
        return providers.next();
    }

    /** How the engine makes itself known to {@code embedded:} without being a dependency (a {@link ServiceLoader} service). */
    public interface SessionProvider {
        /** A session of the one engine of this JVM, which starts with the first and stops with the last. */
        Session open();
    }
}
