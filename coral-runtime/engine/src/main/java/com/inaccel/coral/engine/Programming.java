package com.inaccel.coral.engine;

import com.inaccel.coral.engine.Bitstream.Kernel;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What one device is programmed with, and for how long.
 *
 * <p>Each request that is taken joins a {@link Stint}: the latest one if that is of its bitstream, else a new one. Stints of a
 * device that holds one bitstream follow each other: one begins, by programming, when all requests of the one before have
 * left. So requests of one bitstream run side by side, none is overtaken for ever by those of another, and from the moment
 * that a request is taken the device counts as programmed for it. Thread-safe.
 */
final class Programming {
    private static final Logger LOG = LoggerFactory.getLogger(Programming.class);
    /** What programming is taken to cost before it was measured. */
    private static final long FIRST_NANOS = 100_000_000;

    private final Device device;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    /** Joinable ones: on a device that holds one bitstream, the latest if any. */
    private final Map<Bitstream, Stint> stints = new ConcurrentHashMap<>();
    private volatile long nanos = FIRST_NANOS;
    private volatile String last = "";
    private Stint latest; // guarded by the lock, like the next and every stint's fields
    private long count;

    Programming(Device device) {
        this.device = device;
    }

    /** One bitstream's time on the device, and who uses it. */
    final class Stint {
        private final Bitstream bitstream;
        private final Map<String, Semaphore> units = new ConcurrentHashMap<>();
        private Stint before; // null when nothing has to end first
        private int users;
        private boolean programming;
        private boolean ready;

        private Stint(Bitstream bitstream, Stint before) {
            this.bitstream = bitstream;
            this.before = before;
        }

        Bitstream bitstream() {
            return bitstream;
        }

        /** A permit for each run of the kernel that may happen at once. */
        Semaphore units(Kernel kernel) {
            return units.computeIfAbsent(kernel.accelerator().name(),
                name -> new Semaphore(device.units(kernel), /* fair= */ true));
        }

        private boolean mustWait() {
            return !ready && (programming || (before != null && before.users > 0));
        }
    }

    /** Nanoseconds that programming would take: 0 where it is programmed, or about to be. */
    long costNanos(Bitstream wanted) {
        return stints.containsKey(wanted) ? 0 : nanos;
    }

    /** The caller leaves it later, whatever happens in between. */
    Stint join(Bitstream wanted) {
        lock.lock();
        try {
            Stint stint = stints.get(wanted);
            if (stint == null) {
                boolean many = device.holdsManyBitstreams();
                stint = new Stint(wanted, many ? null : latest);
                if (!many) {
                    stints.clear();
                }
                stints.put(wanted, stint);
                latest = stint;
            }
            stint.users++;
            return stint;
        } finally {
            lock.unlock();
        }
    }

    /** Waits until it is this stint's turn. @return whether the caller has to {@link #program} now */
    boolean await(Stint stint) {
        lock.lock();
        try {
            while (stint.mustWait()) {
                changed.awaitUninterruptibly();
            }
            stint.before = null;
            stint.programming = !stint.ready;
            return stint.programming;
        } finally {
            lock.unlock();
        }
    }

    /**
     * What fails here leaves the device without a bitstream, and the next user of the stint tries again.
     *
     * @return nanoseconds that it took
     */
    long program(Stint stint) {
        long started = System.nanoTime();
        boolean done = false;
        try {
            device.program(stint.bitstream);
            done = true;
        } finally {
            programmed(stint, done, Math.max(1, System.nanoTime() - started));
        }
        LOG.info("programmed: device={}, bitstream={}, millis={}", device.info().id(), stint.bitstream, nanos / 1_000_000);
        return nanos;
    }

    private void programmed(Stint stint, boolean done, long tookNanos) {
        lock.lock();
        try {
            stint.programming = false;
            stint.ready = done;
            if (done) {
                nanos = tookNanos;
                last = stint.bitstream.toString();
                count++;
            } else {
                stints.remove(stint.bitstream, stint);
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void leave(Stint stint) {
        lock.lock();
        try {
            if (--stint.users == 0) {
                changed.signalAll();
            }
        } finally {
            lock.unlock();
        }
    }

    /** The device lost its bitstreams. */
    void clear() {
        lock.lock();
        try {
            stints.clear();
            latest = null;
        } finally {
            lock.unlock();
        }
    }

    /** {@code id version} of the last one programmed; empty before the first. */
    String last() {
        return last;
    }

    long count() {
        lock.lock();
        try {
            return count;
        } finally {
            lock.unlock();
        }
    }
}
