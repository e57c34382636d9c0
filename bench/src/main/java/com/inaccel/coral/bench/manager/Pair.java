package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.util.concurrent.CompletableFuture;

/** Two numbers in shared memory that a request adds: the smallest request whose answer can be wrong. One at a time. */
final class Pair implements AutoCloseable {
    private static final long SLOT = 64; // a cache line each

    private final Session session;
    private final Segment segment;
    private final Request request;

    Pair(Session session) {
        this.session = session;
        this.segment = session.allocate(3 * SLOT);
        this.request = Request.of("com.inaccel.math.Vector.Add").read(segment, 0, Float.BYTES)
            .read(segment, SLOT, Float.BYTES).write(segment, 2 * SLOT, Float.BYTES).arg(1).build();
    }

    /** @param a up to 2^22: sums of such are exact */
    CompletableFuture<Completion> add(int a, int b) {
        segment.buffer(0, Float.BYTES).putFloat(0, a);
        segment.buffer(SLOT, Float.BYTES).putFloat(0, b);
        segment.buffer(2 * SLOT, Float.BYTES).putFloat(0, Float.NaN);
        return session.submit(request);
    }

    float sum() {
        return segment.buffer(2 * SLOT, Float.BYTES).getFloat(0);
    }

    @Override
    public void close() {
        segment.close();
    }
}
