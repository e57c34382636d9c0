package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.util.concurrent.Semaphore;

/** Heap that calls share: who wants more than is free waits its turn, who wants more than there is gets a clear no. */
final class Budget {
    private static final long UNIT = 1 << 10;

    private final String what;
    private final int units;
    private final Semaphore free;

    /** Closed exactly once, by whoever acquired it. */
    interface Lease extends AutoCloseable {
        @Override
        void close();
    }

    Budget(String what, long bytes) {
        this.what = what;
        this.units = (int) Math.min(Integer.MAX_VALUE, bytes / UNIT);
        this.free = new Semaphore(units, true);
    }

    /** @throws FunctionException TOO_LARGE where it can never be had */
    Lease acquire(long bytes) throws InterruptedException {
        long wanted = bytes / UNIT + 1;
        if (wanted > units) {
            throw new FunctionException(Problem.TOO_LARGE, "more memory than this function has for " + what + ": bytes=" + bytes
                + ", limitBytes=" + units * UNIT + "; give Java more heap with JAVA_TOOL_OPTIONS=-Xmx…");
        }
        free.acquire((int) wanted);
        return () -> free.release((int) wanted);
    }

    /** Whether all has been given back. */
    boolean isWhole() {
        return free.availablePermits() == units;
    }
}
