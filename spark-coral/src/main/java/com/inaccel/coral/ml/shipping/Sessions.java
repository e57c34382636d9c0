package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The sessions of this executor: one an address and way to reconnect, opened by the first task that ships and kept for the executor's life,
 * since what costs (programs, warm shared memory) is worth keeping between fits.
 */
final class Sessions {
    private static final Map<Key, Session> OPEN = new ConcurrentHashMap<>();

    private record Key(String address, Duration reconnect) { }

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(Sessions::closeAll, "coral-sessions-close"));
    }

    private Sessions() { }

    /** An open session at the address, or at the executor's own default where it is empty; a broken one is replaced. */
    static Session at(String configured, Duration reconnect) {
        String address = configured.isEmpty() ? Coral.defaultAddress() : configured;
        return OPEN.compute(new Key(address, reconnect), (key, open) -> {
            if (open != null && open.isOpen()) {
                return open;
            }
            if (open != null) {
                open.close();
            }
            Session session = Coral.open(key.address(), key.reconnect());
            Fallback.of(configured, session).forEach(Fallback::count);
            return session;
        });
    }

    static void closeAll() {
        OPEN.keySet().forEach(open -> OPEN.computeIfPresent(open, (key, session) -> {
            session.close();
            return null;
        }));
    }
}
