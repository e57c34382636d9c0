package com.inaccel.coral.functions.images;

import com.inaccel.coral.Images;
import com.inaccel.coral.Session;
import java.util.function.Supplier;

/** The image accelerators on the host's session, or on the one that came in its place. Thread-safe. */
final class SessionImages implements Supplier<Images> {
    private final Supplier<Session> sessions;
    private Session session; // guarded by this, like the next; null before the first use
    private Images images;

    SessionImages(Supplier<Session> sessions) {
        this.sessions = sessions;
    }

    /** What it keeps of shared memory goes with the session, which the host closes. */
    @Override
    public synchronized Images get() {
        Session now = sessions.get();
        if (now != session) {
            session = now;
            images = new Images(now);
        }
        return images;
    }
}
