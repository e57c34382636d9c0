package com.inaccel.coral.ml.clustering;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.shipping.Batch;
import com.inaccel.coral.ml.shipping.RunStats;
import com.inaccel.coral.ml.shipping.ShippedPartition;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.util.random.XORShiftRandom;

/**
 * KMeans on one shipped partition: what a task runs where the data is. Centers travel as {@code double[k * d]},
 * row-major, in the data's own coordinates; the partition's shift is taken off and put back here.
 */
final class KMeansTask {
    private static final String PREFIX = "com.inaccel.ml.KMeans.";
    private static final String ITERATE = "kmeans-iterate";
    private static final String CANDIDATES = "kmeans-candidates";
    /**
     * Per batch: a page that starts with how many candidates its rows know (int); their squared distances to the nearest
     * of them (double); which one that is (int).
     */
    private static final String NEAREST = "kmeans-nearest-";
    private static final int ALIGNMENT = 4096;

    private final ShippedPartition partition;
    private final RunStats stats;
    private final int d;

    /** {@code d} is the dimension of the data, which an empty partition does not know. */
    KMeansTask(ShippedPartition partition, RunStats stats, int d) {
        this.partition = partition;
        this.stats = stats;
        this.d = d;
    }

    /**
     * Assigns each row to its nearest center.
     *
     * @return {@code k * d} weighted sums of rows, then {@code k} sums of weights, then the weighted sum of squared
     *     distances
     */
    double[] assign(double[] centers, int k) {
        int length = k * d + k + 1;
        double[] total = new double[length];
        List<Batch> batches = partition.batches();
        if (batches.isEmpty()) {
            return total;
        }
        long centersBytes = (long) centers.length * Double.BYTES;
        long resultBytes = aligned((long) length * Double.BYTES);
        Segment scratch = partition.scratch(ITERATE, aligned(centersBytes) + batches.size() * resultBytes);
        put(scratch, shifted(centers));
        List<Request.Builder> requests = new ArrayList<>(batches.size());
        for (int i = 0; i < batches.size(); i++) {
            Batch batch = batches.get(i);
            requests.add(request("Assign", batch).arg(batch.weights())
                .read(scratch, 0, centersBytes)
                .write(scratch, aligned(centersBytes) + i * resultBytes, (long) length * Double.BYTES)
                .arg(batch.rows()).arg(d).arg(k));
        }
        partition.run(requests, stats);
        for (int i = 0; i < batches.size(); i++) {
            DoubleBuffer result = scratch
                .buffer(aligned(centersBytes) + i * resultBytes, (long) length * Double.BYTES).asDoubleBuffer();
            for (int j = 0; j < length; j++) {
                total[j] += result.get(j);
            }
        }
        unshift(total, k);
        return total;
    }

    /**
     * The sum over rows of the squared distance to the nearest of the {@code m} candidates. A row remembers the
     * candidates that it was compared with, and is compared with the rest only; where that memory was lost with an
     * executor it is compared with all of them again.
     */
    double nearest(double[] candidates, int m) {
        know(candidates, m);
        double total = 0;
        for (int i = 0; i < partition.batches().size(); i++) {
            DoubleBuffer distances = distances(i);
            for (int row = 0; row < distances.limit(); row++) {
                total += distances.get(row);
            }
        }
        return total;
    }

    /** Where a manager goes half-way, what it had begun is forgotten, and asked of the next one from the start. */
    private void know(double[] candidates, int m) {
        while (true) {
            try {
                compare(candidates, m);
                return;
            } catch (CoralException e) {
                for (int i = 0; i < partition.batches().size(); i++) {
                    partition.releaseScratch(NEAREST + i);
                }
                if (e.code() != ErrorCode.CONNECTION_LOST || !partition.isHere()) {
                    throw e;
                }
            }
        }
    }

    private void compare(double[] candidates, int m) {
        List<Request.Builder> requests = new ArrayList<>();
        List<Batch> batches = partition.batches();
        Segment scratch = partition.scratch(CANDIDATES, aligned((long) m * d * Double.BYTES));
        put(scratch, shifted(candidates));
        for (int i = 0; i < batches.size(); i++) {
            Batch batch = batches.get(i);
            int known = known(i).buffer(0, Integer.BYTES).getInt(0);
            if (known < m) {
                requests.add(request("Nearest", batch)
                    .read(scratch, (long) known * d * Double.BYTES, (long) (m - known) * d * Double.BYTES)
                    .readWrite(known(i), ALIGNMENT, (long) batch.rows() * Double.BYTES)
                    .readWrite(known(i), labelsOffset(batch), (long) batch.rows() * Integer.BYTES)
                    .arg(batch.rows()).arg(d).arg(m - known).arg(known));
            }
        }
        partition.run(requests, stats);
        for (int i = 0; i < batches.size(); i++) {
            known(i).buffer(0, Integer.BYTES).putInt(0, m);
        }
    }

    /** The rows that a step of k-means|| chooses, as MLlib draws them: one number of the partition's sequence a row. */
    List<double[]> choose(double[] candidates, int m, long seed, int k, double sumCosts) {
        know(candidates, m);
        XORShiftRandom random = new XORShiftRandom(seed);
        List<double[]> chosen = new ArrayList<>();
        List<Batch> batches = partition.batches();
        for (int i = 0; i < batches.size(); i++) {
            DoubleBuffer distances = distances(i);
            for (int row = 0; row < batches.get(i).rows(); row++) {
                if (random.nextDouble() < 2.0 * distances.get(row) * k / sumCosts) {
                    chosen.add(row(batches.get(i), row));
                }
            }
        }
        return chosen;
    }

    /** How many rows each of the candidates is nearest to; then forgets what {@link #nearest} kept. */
    long[] countNearest(double[] candidates, int m) {
        know(candidates, m);
        long[] counts = new long[m];
        List<Batch> batches = partition.batches();
        for (int i = 0; i < batches.size(); i++) {
            Batch batch = batches.get(i);
            IntBuffer labels = known(i).buffer(labelsOffset(batch), (long) batch.rows() * Integer.BYTES)
                .asIntBuffer();
            for (int row = 0; row < batch.rows(); row++) {
                counts[labels.get(row)]++;
            }
            partition.releaseScratch(NEAREST + i);
        }
        partition.releaseScratch(CANDIDATES);
        return counts;
    }

    /** The rows at these positions of the partition, as they were before they were normalized. */
    List<double[]> rows(long[] positions) {
        List<double[]> rows = new ArrayList<>(positions.length);
        for (long position : positions) {
            long rest = position;
            for (Batch batch : partition.batches()) {
                if (rest < batch.rows()) {
                    rows.add(row(batch, (int) rest));
                    break;
                }
                rest -= batch.rows();
            }
        }
        return rows;
    }

    private Request.Builder request(String operation, Batch batch) {
        boolean sparse = partition.info().sparse();
        boolean inDouble = partition.info().precision() == Precision.DOUBLE;
        Request.Builder request =
            Request.of(PREFIX + operation + (sparse ? "Sparse" : "") + (inDouble ? "Double" : "Single"));
        return sparse
            ? request.arg(batch.rowStarts()).arg(batch.indices()).arg(batch.features())
            : request.arg(batch.features());
    }

    private Segment known(int batch) {
        String name = NEAREST + batch;
        if (partition.hasScratch(name)) {
            return partition.scratch(name, 0);
        }
        int rows = partition.batches().get(batch).rows();
        long labels = labelsOffset(partition.batches().get(batch));
        Segment fresh = partition.scratch(name, labels + (long) rows * Integer.BYTES);
        fresh.buffer(0, Integer.BYTES).putInt(0, 0);
        DoubleBuffer distances = fresh.buffer(ALIGNMENT, (long) rows * Double.BYTES).asDoubleBuffer();
        for (int row = 0; row < rows; row++) {
            distances.put(row, Double.POSITIVE_INFINITY);
        }
        return fresh;
    }

    private DoubleBuffer distances(int batch) {
        return known(batch).buffer(ALIGNMENT, (long) partition.batches().get(batch).rows() * Double.BYTES)
            .asDoubleBuffer();
    }

    private static long labelsOffset(Batch batch) {
        return ALIGNMENT + aligned((long) batch.rows() * Double.BYTES);
    }

    private double[] row(Batch batch, int index) {
        double[] row = partition.info().sparse() ? sparseRow(batch, index) : denseRow(batch, index);
        if (batch.norms() != null) {
            double norm = Batch.doubles(batch.norms()).get(index);
            for (int i = 0; i < d; i++) {
                row[i] *= norm;
            }
        }
        return row;
    }

    private double[] denseRow(Batch batch, int index) {
        double[] row = new double[d];
        read(batch, (long) index * d, row);
        double[] shift = partition.shift();
        for (int i = 0; shift != null && i < d; i++) {
            row[i] += shift[i];
        }
        return row;
    }

    private double[] sparseRow(Batch batch, int index) {
        IntBuffer starts = Batch.ints(batch.rowStarts());
        IntBuffer indices = Batch.ints(batch.indices());
        double[] values = new double[starts.get(index + 1) - starts.get(index)];
        read(batch, starts.get(index), values);
        double[] row = new double[d];
        for (int i = 0; i < values.length; i++) {
            row[indices.get(starts.get(index) + i)] = values[i];
        }
        return row;
    }

    private void read(Batch batch, long first, double[] into) {
        ByteBuffer bytes = Batch.buffer(batch.features());
        if (partition.info().precision() == Precision.DOUBLE) {
            bytes.asDoubleBuffer().get((int) first, into);
            return;
        }
        FloatBuffer floats = bytes.asFloatBuffer();
        for (int i = 0; i < into.length; i++) {
            into[i] = floats.get((int) first + i);
        }
    }

    private double[] shifted(double[] centers) {
        double[] shift = partition.shift();
        if (shift == null) {
            return centers;
        }
        double[] moved = new double[centers.length];
        for (int i = 0; i < centers.length; i++) {
            moved[i] = centers[i] - shift[i % d];
        }
        return moved;
    }

    private void unshift(double[] total, int k) {
        double[] shift = partition.shift();
        for (int j = 0; shift != null && j < k; j++) {
            double weight = total[k * d + j];
            for (int i = 0; i < d; i++) {
                total[j * d + i] += weight * shift[i];
            }
        }
    }

    private static void put(Segment scratch, double[] values) {
        scratch.buffer(0, (long) values.length * Double.BYTES).asDoubleBuffer().put(values);
    }

    private static long aligned(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }
}
