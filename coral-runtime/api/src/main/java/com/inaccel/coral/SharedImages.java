package com.inaccel.coral;

/** The one session of the process for {@link Accelerators}. Thread-safe. */
final class SharedImages implements AutoCloseable {
    private Session session; // null until it is needed; guarded by this, like the next
    private Images images;

    synchronized Images get() {
        if (images == null || !session.isOpen()) {
            close();
            session = Coral.open();
            images = new Images(session);
        }
        return images;
    }

    synchronized Session session() {
        get();
        return session;
    }

    @Override
    public synchronized void close() {
        if (session != null) {
            images.close();
            session.close();
        }
        session = null;
        images = null;
    }
}
