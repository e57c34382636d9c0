package com.inaccel.coral.engine;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for changed bitstreams every now and then, on a thread of its own: reading them takes long. Polling sees changes
 * on every file system, mounted volumes and links that are swapped among them.
 */
final class BitstreamWatcher implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(BitstreamWatcher.class);

    private final List<Path> paths;
    private final Duration pause;
    private final Runnable reload;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread = new Thread(this::watch, "coral-bitstreams");
    private List<String> loaded;

    /**
     * The caller closes it.
     *
     * @param loaded the stamp of before they were last read, so that no change is missed
     */
    static BitstreamWatcher start(List<Path> paths, List<String> loaded, Duration pause, Runnable reload) {
        BitstreamWatcher watcher = new BitstreamWatcher(paths, loaded, pause, reload);
        watcher.thread.setDaemon(true);
        watcher.thread.start();
        return watcher;
    }

    private BitstreamWatcher(List<Path> paths, List<String> loaded, Duration pause, Runnable reload) {
        this.paths = paths;
        this.loaded = loaded;
        this.pause = pause;
        this.reload = reload;
    }

    private void watch() {
        List<String> before = loaded;
        try {
            while (!closed.await(pause.toNanos(), TimeUnit.NANOSECONDS)) {
                List<String> now = BitstreamStore.stamp(paths);
                // Somebody may be copying files there: wait for the end of it.
                if (now.equals(before) && !now.equals(loaded)) {
                    reload();
                    loaded = now;
                }
                before = now;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void reload() {
        try {
            reload.run();
        } catch (RuntimeException | OutOfMemoryError e) { // what was installed before goes on serving
            LOG.error("bitstreams cannot be read again", e);
        }
    }

    /** Idempotent. */
    @Override
    public void close() {
        closed.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
