package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;

/**
 * One accelerator over sealed data of its own, asked for again and again: the request is always the same, and so must be
 * every bit of its result, whichever device it ran on. Each of {@link #slots} has one request in flight at most.
 */
final class Work implements AutoCloseable {
    private static final int FEATURES = 16;
    private static final int CENTERS = 8;
    private static final int CLASSES = 2;
    private static final int FIRST_ROWS = 1024;
    private static final int TRIALS = 5;
    private static final long PAGE = 4096;

    /** Accelerators of the mix. Each is in a bitstream of its own, so that changing between them means reprogramming. */
    enum Kind {
        ASSIGN_DOUBLE("com.inaccel.ml.KMeans.AssignDouble"),
        ASSIGN_SINGLE("com.inaccel.ml.KMeans.AssignSingle"),
        GRADIENT_DOUBLE("com.inaccel.ml.LogisticRegression.GradientDouble"),
        GRADIENT_SINGLE("com.inaccel.ml.LogisticRegression.GradientSingle");

        private final String accelerator;

        Kind(String accelerator) {
            this.accelerator = accelerator;
        }

        private int realBytes() {
            return this == ASSIGN_SINGLE || this == GRADIENT_SINGLE ? Float.BYTES : Double.BYTES;
        }

        private boolean isGradient() {
            return this == GRADIENT_SINGLE || this == GRADIENT_DOUBLE;
        }
    }

    private final Session session;
    private final Kind kind;
    private final int rows;
    private final Segment data;
    private final Segment results;
    private final long resultBytes;
    private final List<Request> requests = new ArrayList<>();
    private final AtomicReference<ByteBuffer> expected = new AtomicReference<>();

    Work(Session session, Kind kind, int rows, int slots) {
        this.session = session;
        this.kind = kind;
        this.rows = rows;
        long featureBytes = (long) rows * FEATURES * kind.realBytes();
        long labelBytes = (long) rows * Integer.BYTES;
        long modelBytes = (long) CENTERS * FEATURES * Double.BYTES;
        data = session.allocate(pages(featureBytes) + pages(labelBytes) + pages(modelBytes));
        fill(featureBytes, labelBytes, modelBytes);
        data.seal(data.sizeBytes());
        resultBytes = (kind.isGradient() ? FEATURES + 2L : CENTERS * (FEATURES + 1L) + 1) * Double.BYTES;
        results = session.allocate(slots * pages(resultBytes));
        for (int slot = 0; slot < slots; slot++) {
            requests.add(request(slot, featureBytes, labelBytes, modelBytes));
        }
    }

    /** As many rows as take a device about this long. */
    static int rowsFor(Session session, Kind kind, long nanos) {
        for (int rows = FIRST_ROWS; ; rows *= 2) {
            try (Work work = new Work(session, kind, rows, 1)) {
                long best = Long.MAX_VALUE;
                for (int trial = 0; trial < TRIALS; trial++) {
                    best = Math.min(best, work.submit(0).join().runNanos());
                }
                if (best >= nanos) {
                    return (int) Math.max(1, (long) rows * nanos / best);
                }
            }
        }
    }

    private void fill(long featureBytes, long labelBytes, long modelBytes) {
        ByteBuffer features = data.buffer(0, featureBytes);
        for (int i = 0; features.hasRemaining(); i++) {
            put(features, (i * 31 % 1021) / 64.0);
        }
        ByteBuffer labels = data.buffer(pages(featureBytes), labelBytes);
        for (int i = 0; labels.hasRemaining(); i++) {
            labels.putInt(i % CLASSES);
        }
        ByteBuffer model = data.buffer(pages(featureBytes) + pages(labelBytes), modelBytes);
        for (int i = 0; model.hasRemaining(); i++) {
            model.putDouble((i * 17 % 127) / (kind.isGradient() ? 1e4 : 8.0));
        }
    }

    private void put(ByteBuffer buffer, double value) {
        if (kind.realBytes() == Float.BYTES) {
            buffer.putFloat((float) value);
        } else {
            buffer.putDouble(value);
        }
    }

    private Request request(int slot, long featureBytes, long labelBytes, long modelBytes) {
        long labels = pages(featureBytes);
        long model = labels + pages(labelBytes);
        long result = slot * pages(resultBytes);
        Request.Builder request = Request.of(kind.accelerator).read(data, 0, featureBytes);
        if (kind.isGradient()) {
            return request.read(data, labels, labelBytes).read(data, 0, 0).read(data, model, (FEATURES + 1L) * Double.BYTES)
                .write(results, result, resultBytes).arg(rows).arg(FEATURES).arg(1).arg(1).build();
        }
        return request.read(data, 0, 0).read(data, model, modelBytes).write(results, result, resultBytes)
            .arg(rows).arg(FEATURES).arg(CENTERS).build();
    }

    int slots() {
        return requests.size();
    }

    /** The slot's request; fails where its result is another than the first one's. */
    CompletableFuture<Completion> submit(int slot) {
        ByteBuffer result = result(slot);
        while (result.hasRemaining()) {
            result.putInt(-1); // what is not written shows
        }
        return session.submit(requests.get(slot)).thenApply(completion -> {
            check(slot);
            return completion;
        });
    }

    private void check(int slot) {
        ByteBuffer result = result(slot);
        ByteBuffer copy = expected.get();
        if (copy == null) {
            copy = ByteBuffer.allocate(result.remaining()).order(result.order()).put(result.duplicate()).flip();
            copy = expected.compareAndSet(null, copy) ? copy : expected.get();
        }
        if (result.mismatch(copy) >= 0) {
            throw new IllegalStateException("result differs from the first one's: accelerator=" + kind.accelerator
                + ", byte=" + result.mismatch(copy));
        }
    }

    private ByteBuffer result(int slot) {
        return results.buffer(slot * pages(resultBytes), resultBytes);
    }

    private static long pages(long bytes) {
        return (bytes + PAGE - 1) / PAGE * PAGE;
    }

    @Override
    public void close() {
        data.close();
        results.close();
    }
}
