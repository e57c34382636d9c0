package com.inaccel.coral.engine;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;

/** The one engine of this JVM: starts with the first session of {@code embedded:}, stops with the last. */
public final class EmbeddedProvider implements Coral.SessionProvider {
    private static final Object LOCK = new Object();
    private static Engine engine; // guarded by the lock, like the next
    private static int sessions;

    /** For {@link java.util.ServiceLoader}. */
    public EmbeddedProvider() { }

    @Override
    public Session open() {
        synchronized (LOCK) {
            if (engine == null) {
                engine = Engine.start(EngineConfig.fromEnvironment());
            }
            try {
                Session session = engine.open(
                    new Allocation("embedded", engine.memory().limitBytes(), 1), EmbeddedProvider::closed);
                sessions++;
                return session;
            } finally {
                stopIfUnused();
            }
        }
    }

    private static void closed() {
        synchronized (LOCK) {
            sessions--;
            stopIfUnused();
        }
    }

    private static void stopIfUnused() {
        if (sessions == 0 && engine != null) {
            Engine unused = engine;
            engine = null;
            unused.close();
        }
    }
}
