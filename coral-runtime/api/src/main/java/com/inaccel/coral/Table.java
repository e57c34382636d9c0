package com.inaccel.coral;

import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Rows of doubles in sealed segments, where devices keep them between passes, with an int for each. For one thread. */
final class Table implements AutoCloseable {
    private static final int PARTS_ON_DEVICE = 4;
    private static final long PAGE_BYTES = 4096;

    final int rows;
    final int columns;
    private final Session session;
    private final List<Batch> batches = new ArrayList<>();
    private final List<Completion> completions = new ArrayList<>();

    /** Some rows, and where they and their ints lie. */
    record Batch(Segment segment, int first, int rows, int columns) {
        private long valueBytes() {
            return (long) rows * columns * Double.BYTES;
        }

        Argument.Slice values() {
            return new Argument.Slice(segment, 0, valueBytes(), Argument.Access.READ);
        }

        Argument.Slice labels() {
            return new Argument.Slice(segment, pages(valueBytes()), (long) rows * Integer.BYTES, Argument.Access.READ);
        }

        /** Says that all weigh the same. */
        Argument.Slice noWeights() {
            return new Argument.Slice(segment, 0, 0, Argument.Access.READ);
        }
    }

    /** @param labels null where there are none */
    Table(Session session, double[][] values, int[] labels) {
        this.session = session;
        this.rows = values.length;
        this.columns = columns("features", values);
        long rowBytes = (long) columns * Double.BYTES + Integer.BYTES;
        long limit = Math.min(Segment.MAX_BYTES / 2, session.devices().stream().mapToLong(DeviceInfo::memoryBytes).min()
            .orElse(Segment.MAX_BYTES) / PARTS_ON_DEVICE);
        int batchRows = (int) Math.max(1, Math.min(rows, limit / rowBytes));
        try {
            for (int first = 0; first < rows; first += batchRows) {
                batches.add(ship(values, labels, first, Math.min(batchRows, rows - first)));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private Batch ship(double[][] values, int[] labels, int first, int count) {
        long labelsAt = pages((long) count * columns * Double.BYTES);
        Segment segment = session.allocate(labelsAt + (long) count * Integer.BYTES);
        Batch batch = new Batch(segment, first, count, columns);
        for (int i = 0; i < count; i++) {
            segment.buffer((long) i * columns * Double.BYTES, (long) columns * Double.BYTES).asDoubleBuffer()
                .put(values[first + i]);
        }
        if (labels != null) {
            segment.buffer(labelsAt, (long) count * Integer.BYTES).asIntBuffer().put(labels, first, count);
        }
        segment.seal(segment.sizeBytes());
        return batch;
    }

    /** The width of a table that has one. */
    static int columns(String what, double[][] values) {
        if (values.length == 0 || values[0].length == 0) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "empty table: " + what + "=" + values.length
                + " rows; pass at least one row of one column");
        }
        for (int i = 0; i < values.length; i++) {
            if (values[i].length != values[0].length) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "rows of several lengths: " + what + ", row=" + i
                    + ", length=" + values[i].length + ", expected=" + values[0].length + "; pass rows of one length");
            }
            if (!Arrays.stream(values[i]).allMatch(Double::isFinite)) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not finite: " + what + ", row=" + i + ", values="
                    + Arrays.toString(values[i]) + "; replace or drop it");
            }
        }
        return values[0].length;
    }

    /** One request a batch. */
    interface Pass {
        Request.Builder request(Batch batch, Argument.Slice input, Argument.Slice output);
    }

    /** What one batch gave. */
    interface Result {
        void take(Batch batch, ByteBuffer output);
    }

    /** Runs a pass over all batches at once, with the same input, and takes their results in order. */
    void pass(double[] input, int outputBytesARow, long outputBytes, double fill, Pass pass, Result result) {
        long inputBytes = pages((long) input.length * Double.BYTES);
        long most = batches.stream().mapToLong(batch -> pages(outputBytes + (long) outputBytesARow * batch.rows)).sum();
        try (Segment scratch = session.allocate(inputBytes + most)) {
            DoubleBuffer filled = scratch.buffer(0, inputBytes + most).asDoubleBuffer();
            filled.put(input);
            if (fill != 0) {
                for (int i = (int) (inputBytes / Double.BYTES); i < filled.limit(); i++) {
                    filled.put(i, fill);
                }
            }
            List<CompletableFuture<Completion>> futures = new ArrayList<>();
            long at = inputBytes;
            for (Batch batch : batches) {
                long bytes = outputBytes + (long) outputBytesARow * batch.rows;
                futures.add(session.submit(pass.request(batch,
                    new Argument.Slice(scratch, 0, (long) input.length * Double.BYTES, Argument.Access.READ),
                    new Argument.Slice(scratch, at, bytes, Argument.Access.WRITE)).build()));
                at += pages(bytes);
            }
            at = inputBytes;
            for (int i = 0; i < futures.size(); i++) {
                long bytes = outputBytes + (long) outputBytesARow * batches.get(i).rows;
                completions.add(PartRunner.await(futures.get(i)));
                result.take(batches.get(i), scratch.buffer(at, bytes));
                at += pages(bytes);
            }
        }
    }

    Run run() {
        return Run.of(completions);
    }

    private static long pages(long bytes) {
        return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }

    @Override
    public void close() {
        batches.forEach(batch -> batch.segment.close());
    }
}
