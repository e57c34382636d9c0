package com.inaccel.coral.manager;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Spreads what arrives over time: so many a second, and as many at once after a second without any. Whoever comes sooner
 * is told to wait, and has his turn then. Thread-safe.
 */
final class Pace {
    private static final long BURST_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final long intervalNanos;
    private final LongSupplier clock;
    /** When the next turn is due; what lies in the past has been saved up. */
    private long nextNanos;

    Pace(int perSecond, LongSupplier clock) {
        this.intervalNanos = TimeUnit.SECONDS.toNanos(1) / perSecond;
        this.clock = clock;
        this.nextNanos = clock.getAsLong() - BURST_NANOS;
    }

    /** Takes a turn. @return nanoseconds until it is due; 0 or less when it is */
    synchronized long take() {
        long now = clock.getAsLong();
        if (now - nextNanos > BURST_NANOS) {
            nextNanos = now - BURST_NANOS;
        }
        nextNanos += intervalNanos;
        return nextNanos - now;
    }
}
