package com.inaccel.coral.ml.classification;

import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.classification.GradientPass.Point;
import com.inaccel.coral.ml.shipping.Batch;
import com.inaccel.coral.ml.shipping.RunStats;
import com.inaccel.coral.ml.shipping.ShippedPartition;
import java.nio.DoubleBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A pass over one partition: a request a batch, for all models of as many classes together, since reading the rows is what
 * a pass costs.
 */
final class GradientTask {
    private static final String ACCELERATOR = "com.inaccel.ml.LogisticRegression.Gradient";
    private static final String COEFFICIENTS = "coefficients";
    private static final String RESULT = "gradient";
    /** Coefficients of one request at most, unless it is of one model: a device holds as many sums for each block of rows. */
    private static final long REQUEST_BYTES = 16L << 20;

    private final ShippedPartition partition;
    private final RunStats stats;
    /** The features' means, less what was subtracted from the features when they were shipped. */
    private final double[] center;

    /** @param mean of each feature in the dataset */
    GradientTask(ShippedPartition partition, RunStats stats, double[] mean) {
        this.partition = partition;
        this.stats = stats;
        double[] shift = partition.batches().isEmpty() ? null : partition.shift();
        this.center = shift == null ? mean : mean.clone();
        for (int j = 0; shift != null && j < mean.length; j++) {
            center[j] -= shift[j];
        }
    }

    /** The points' results, one behind another: derivatives of each row, then the loss. */
    double[] evaluate(List<Point> points) {
        int[] starts = new int[points.size() + 1];
        for (int i = 0; i < points.size(); i++) {
            starts[i + 1] = starts[i] + points.get(i).resultLength();
        }
        double[] results = new double[starts[points.size()]];
        if (partition.batches().isEmpty()) {
            return results;
        }
        for (int classes : points.stream().mapToInt(Point::classes).distinct().toArray()) {
            int[] alike = IntStream.range(0, points.size()).filter(i -> points.get(i).classes() == classes).toArray();
            int together = (int) Math.max(1, REQUEST_BYTES / Double.BYTES / points.get(alike[0]).rows().length);
            for (int from = 0; from < alike.length; from += together) {
                int to = Math.min(alike.length, from + together);
                List<Point> models = IntStream.range(from, to).mapToObj(i -> points.get(alike[i])).toList();
                double[] sums = run(classes, models);
                int length = models.get(0).rows().length;
                for (int m = 0; m < models.size(); m++) {
                    int start = starts[alike[from + m]];
                    System.arraycopy(sums, m * length, results, start, length);
                    results[start + length] = sums[models.size() * length + m];
                }
            }
        }
        return results;
    }

    /** All derivatives, then all losses. */
    private double[] run(int classes, List<Point> models) {
        int d = partition.info().features();
        int rowsLength = models.get(0).rows().length;
        int sent = models.size() * rowsLength;
        int length = sent + models.size();
        Segment coefficients = partition.scratch(COEFFICIENTS, (long) sent * Double.BYTES);
        DoubleBuffer into = coefficients.buffer(0, (long) sent * Double.BYTES).asDoubleBuffer();
        models.forEach(model -> into.put(fromCenter(model.rows(), d)));
        List<Batch> batches = partition.batches();
        long resultBytes = (long) length * Double.BYTES;
        Segment result = partition.scratch(RESULT, batches.size() * resultBytes);
        List<Request.Builder> requests = new ArrayList<>();
        for (int i = 0; i < batches.size(); i++) {
            Batch batch = batches.get(i);
            requests.add(request(batch).arg(batch.labels()).arg(batch.weights())
                .read(coefficients, 0, (long) sent * Double.BYTES).write(result, i * resultBytes, resultBytes)
                .arg(batch.rows()).arg(d).arg(classes).arg(models.size()));
        }
        partition.run(requests, stats);
        double[] sums = new double[length];
        for (int i = 0; i < batches.size(); i++) {
            DoubleBuffer part = result.buffer(i * resultBytes, resultBytes).asDoubleBuffer();
            for (int e = 0; e < length; e++) {
                sums[e] += part.get(e);
            }
        }
        toCenter(sums, sent / (d + 1), d);
        return sums;
    }

    private Request.Builder request(Batch batch) {
        boolean sparse = partition.info().sparse();
        boolean inDouble = partition.info().precision() == Precision.DOUBLE;
        Request.Builder request = Request.of(ACCELERATOR + (sparse ? "Sparse" : "") + (inDouble ? "Double" : "Single"));
        return sparse
            ? request.arg(batch.rowStarts()).arg(batch.indices()).arg(batch.features())
            : request.arg(batch.features());
    }

    /** The rows with offsets for features as they are stored: w·(x - c) + b = w·x + (b - w·c). */
    private double[] fromCenter(double[] rows, int d) {
        double[] moved = rows.clone();
        for (int offset = d; offset < rows.length; offset += d + 1) {
            for (int j = 0; j < d; j++) {
                moved[offset] -= rows[offset - d + j] * center[j];
            }
        }
        return moved;
    }

    /** Derivatives by weights of stored features, made those by weights of centered ones. */
    private void toCenter(double[] sums, int rows, int d) {
        for (int row = 0; row < rows; row++) {
            double multipliers = sums[row * (d + 1) + d];
            for (int j = 0; j < d; j++) {
                sums[row * (d + 1) + j] -= multipliers * center[j];
            }
        }
    }
}
