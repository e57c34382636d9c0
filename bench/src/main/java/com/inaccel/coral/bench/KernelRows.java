package com.inaccel.coral.bench;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.Argument.Slice;
import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Rows in shared memory and an accelerator that passes over them by requests, without Spark. Its arguments are a batch's
 * arrays, then the parameters, the result, the number of its rows, and other sizes. One batch a device at least, so that all work.
 */
final class KernelRows implements AutoCloseable {
    private static final long PAGE = 4096;

    private final String accelerator;
    private final Session session;
    private final List<Batch> batches = new ArrayList<>();
    private final TreeSet<String> devices = new TreeSet<>();
    private Segment scratch;
    private long scratchBytes;
    private long deviceNanos;

    private record Batch(List<Argument> arrays, int rows) { }

    /** The rows as the accelerator takes them. */
    interface Source {
        /** Of each array of a batch with so many rows; 0 for one that is not there. */
        long[] arrayBytes(int rows);

        /** Fills the arrays of a batch with the rows from this one on. */
        void fill(ByteBuffer[] arrays, long from, int rows);
    }

    KernelRows(String accelerator) {
        this.accelerator = accelerator;
        this.session = Coral.open(Coral.EMBEDDED);
    }

    /** @param mostRows of a batch: what a segment holds */
    void ship(Source source, long rows, long mostRows) {
        long wanted = Math.max(session.devices().size(), 1);
        long perBatch = Math.max(1, Math.min((rows + wanted - 1) / wanted, mostRows));
        for (long from = 0; from < rows; from += perBatch) {
            int count = (int) Math.min(perBatch, rows - from);
            long[] bytes = source.arrayBytes(count);
            long total = Arrays.stream(bytes).map(KernelRows::pages).sum();
            Segment segment = session.allocate(total);
            List<Argument> slices = new ArrayList<>();
            ByteBuffer[] arrays = new ByteBuffer[bytes.length];
            long offset = 0;
            for (int index = 0; index < bytes.length; index++) {
                slices.add(new Slice(segment, bytes[index] == 0 ? 0 : offset, bytes[index], Access.READ));
                arrays[index] = segment.buffer(bytes[index] == 0 ? 0 : offset, bytes[index]);
                offset += pages(bytes[index]);
            }
            source.fill(arrays, from, count);
            segment.seal(total);
            batches.add(new Batch(slices, count));
        }
    }

    /**
     * One pass over all rows.
     *
     * @param sums gets the batches' results, added up
     * @param sizes what follows the rows of a batch among the arguments
     */
    void pass(double[] parameters, double[] sums, int... sizes) {
        long parameterBytes = (long) parameters.length * Double.BYTES;
        long resultBytes = (long) sums.length * Double.BYTES;
        long needed = pages(parameterBytes) + batches.size() * pages(resultBytes);
        if (needed > scratchBytes) {
            if (scratch != null) {
                scratch.close();
            }
            scratch = session.allocate(needed);
            scratchBytes = needed;
        }
        scratch.buffer(0, parameterBytes).asDoubleBuffer().put(parameters);
        List<CompletableFuture<Completion>> running = new ArrayList<>();
        long offset = pages(parameterBytes);
        for (Batch batch : batches) {
            Request.Builder request = Request.of(accelerator);
            batch.arrays().forEach(request::arg);
            request.read(scratch, 0, parameterBytes).write(scratch, offset, resultBytes);
            request.arg(batch.rows());
            Arrays.stream(sizes).forEach(request::arg);
            running.add(session.submit(request.build()));
            offset += pages(resultBytes);
        }
        Arrays.fill(sums, 0);
        offset = pages(parameterBytes);
        for (CompletableFuture<Completion> request : running) {
            Completion completion = await(request);
            devices.add(completion.device());
            deviceNanos += completion.runNanos();
            DoubleBuffer result = scratch.buffer(offset, resultBytes).asDoubleBuffer();
            for (int value = 0; value < sums.length; value++) {
                sums[value] += result.get(value);
            }
            offset += pages(resultBytes);
        }
    }

    private static Completion await(CompletableFuture<Completion> request) {
        try {
            return request.join();
        } catch (CompletionException failure) {
            throw failure.getCause() instanceof CoralException reason ? reason : failure;
        }
    }

    static void put(ByteBuffer buffer, double[] values, boolean inDouble) {
        for (double value : values) {
            if (inDouble) {
                buffer.putDouble(value);
            } else {
                buffer.putFloat((float) value);
            }
        }
    }

    /** How long devices have run so far, over all passes. */
    long deviceNanos() {
        return deviceNanos;
    }

    Map<String, String> about() {
        return Map.of("accelerator", accelerator, "address", session.address(), "devices", String.join(", ", devices));
    }

    private static long pages(long bytes) {
        return (bytes + PAGE - 1) / PAGE * PAGE;
    }

    @Override
    public void close() {
        session.close();
    }
}
