package com.inaccel.coral;

import com.inaccel.coral.protocol.SocketSession;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.ServiceLoader;

/**
 * The way in: {@code try (Session session = Coral.open()) { … }}.
 *
 * <p>An address is {@code unix:PATH} (a node manager's socket) or {@code embedded:} (the same engine inside this JVM,
 * which wants coral's engine on the class path).
 */
public final class Coral {
    /** Environment variable with the address. */
    public static final String ADDRESS_VARIABLE = "CORAL_ADDRESS";
    /** Where a node's manager listens unless told otherwise. */
    public static final String DEFAULT_SOCKET = "/run/coral/coral.sock";
    public static final String EMBEDDED = "embedded:";
    private static final String UNIX = "unix:";

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
        if (address.startsWith(UNIX)) {
            return SocketSession.connect(Path.of(address.substring(UNIX.length())));
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
