package com.inaccel.coral.bench;

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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * The accelerator alone: Lloyd's iterations by requests, without Spark. Rows are shipped when it is made; a fit starts
 * from rows spread evenly over the data. One batch a device at least, so that all work.
 */
final class KernelLloyd implements Contestant {
    private static final long PAGE = 4096;
    private static final int WARM_UP_ITERATIONS = 2;

    private final Workload workload;
    private final boolean inDouble;
    private final Session session;
    private final List<Batch> batches = new ArrayList<>();
    private final double[] firstCenters;
    private final TreeSet<String> devices = new TreeSet<>();
    private Segment scratch;

    /** One sealed segment of rows and where its partial result goes in the scratch segment. */
    private record Batch(Segment segment, int rows, long bytes, long resultOffset) { }

    private KernelLloyd(Workload workload, boolean inDouble, Session session) {
        this.workload = workload;
        this.inDouble = inDouble;
        this.session = session;
        this.firstCenters = new double[workload.k() * workload.features()];
    }

    static KernelLloyd start(Workload workload, boolean inDouble) {
        KernelLloyd lloyd = new KernelLloyd(workload, inDouble, Coral.open(Coral.EMBEDDED));
        try {
            lloyd.ship();
            lloyd.run(WARM_UP_ITERATIONS);
            return lloyd;
        } catch (RuntimeException failure) {
            lloyd.close();
            throw failure;
        }
    }

    @Override
    public String name() {
        return inDouble ? "kernel-double" : "kernel-single";
    }

    @Override
    public Map<String, String> about() {
        Map<String, String> about = new LinkedHashMap<>();
        about.put("accelerator", accelerator());
        about.put("address", session.address());
        about.put("devices", String.join(", ", devices));
        about.put("init", "rows spread evenly");
        about.put("precision", inDouble ? "double" : "single");
        return about;
    }

    @Override
    public Outcome fit() {
        return run(workload.iterations());
    }

    private String accelerator() {
        return "com.inaccel.ml.KMeans.Assign" + (inDouble ? "Double" : "Single");
    }

    private void ship() {
        int width = inDouble ? Double.BYTES : Float.BYTES;
        long rowBytes = (long) workload.features() * width;
        long wanted = Math.max(session.devices().size(), 1);
        long perBatch = Math.max(1, Math.min((workload.rows() + wanted - 1) / wanted, Segment.MAX_BYTES / rowBytes));
        long resultBytes = pages(resultLength() * Double.BYTES);
        long offset = pages((long) firstCenters.length * Double.BYTES);
        Workload.Generator generator = workload.generator();
        double[] row = new double[workload.features()];
        for (long from = 0; from < workload.rows(); from += perBatch) {
            int rows = (int) Math.min(perBatch, workload.rows() - from);
            Segment segment = session.allocate(rows * rowBytes);
            batches.add(new Batch(segment, rows, rows * rowBytes, offset));
            offset += resultBytes;
            ByteBuffer buffer = segment.buffer(0, rows * rowBytes);
            for (int index = 0; index < rows; index++) {
                generator.fill(from + index, row);
                put(buffer, row);
            }
            segment.seal(rows * rowBytes);
        }
        scratch = session.allocate(offset);
        for (int center = 0; center < workload.k(); center++) {
            generator.fill(center * workload.rows() / workload.k(), row);
            System.arraycopy(row, 0, firstCenters, center * row.length, row.length);
        }
    }

    private void put(ByteBuffer buffer, double[] row) {
        for (double value : row) {
            if (inDouble) {
                buffer.putDouble(value);
            } else {
                buffer.putFloat((float) value);
            }
        }
    }

    private Outcome run(int iterations) {
        double[] centers = firstCenters.clone();
        double[] sums = new double[Math.toIntExact(resultLength())];
        long deviceNanos = 0;
        long start = System.nanoTime();
        int ran = 0;
        for (boolean moved = true; moved && ran < iterations; ran++) {
            scratch.buffer(0, (long) centers.length * Double.BYTES).asDoubleBuffer().put(centers);
            deviceNanos += assign(sums);
            moved = update(centers, sums);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        double[][] rows = new double[workload.k()][];
        for (int center = 0; center < rows.length; center++) {
            rows[center] = Arrays.copyOfRange(
                centers, center * workload.features(), (center + 1) * workload.features());
        }
        return new Outcome(seconds, ran, rows, Map.of("gflops", workload.flops(ran) / seconds / 1e9,
            "deviceSeconds", deviceNanos / 1e9, "reportedCost", sums[sums.length - 1]));
    }

    /** One pass over all rows. Returns the time that devices ran. */
    private long assign(double[] sums) {
        List<CompletableFuture<Completion>> running = new ArrayList<>();
        for (Batch batch : batches) {
            running.add(session.submit(Request.of(accelerator())
                .read(batch.segment(), 0, batch.bytes())
                .arg(new Slice(batch.segment(), 0, 0, Access.READ)) // no weights
                .read(scratch, 0, (long) firstCenters.length * Double.BYTES)
                .write(scratch, batch.resultOffset(), resultLength() * Double.BYTES)
                .arg(batch.rows()).arg(workload.features()).arg(workload.k()).build()));
        }
        long nanos = 0;
        Arrays.fill(sums, 0);
        for (int index = 0; index < running.size(); index++) {
            Completion completion = await(running.get(index));
            devices.add(completion.device());
            nanos += completion.runNanos();
            DoubleBuffer result = scratch.buffer(batches.get(index).resultOffset(), resultLength() * Double.BYTES)
                .asDoubleBuffer();
            for (int value = 0; value < sums.length; value++) {
                sums[value] += result.get(value);
            }
        }
        return nanos;
    }

    private static Completion await(CompletableFuture<Completion> request) {
        try {
            return request.join();
        } catch (CompletionException failure) {
            throw failure.getCause() instanceof CoralException reason ? reason : failure;
        }
    }

    /** Sums to means; a center without rows stays. Returns whether any center moved. */
    private boolean update(double[] centers, double[] sums) {
        boolean moved = false;
        int features = workload.features();
        for (int center = 0; center < workload.k(); center++) {
            double weight = sums[workload.k() * features + center];
            for (int index = center * features; weight > 0 && index < (center + 1) * features; index++) {
                double mean = sums[index] / weight;
                moved |= mean != centers[index];
                centers[index] = mean;
            }
        }
        return moved;
    }

    /** Sums of rows, sums of weights, cost. */
    private long resultLength() {
        return (long) workload.k() * workload.features() + workload.k() + 1;
    }

    private static long pages(long bytes) {
        return (bytes + PAGE - 1) / PAGE * PAGE;
    }

    @Override
    public void close() {
        session.close();
    }
}
