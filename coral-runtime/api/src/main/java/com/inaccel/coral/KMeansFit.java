package com.inaccel.coral;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** Lloyd's iterations, each one pass of {@code com.inaccel.ml.KMeans.AssignDouble} over the points. */
final class KMeansFit {
    private static final String PREFIX = "com.inaccel.ml.KMeans.";

    private KMeansFit() { }

    static KMeansModel fit(Session session, double[][] points, double[][] start, int maxIterations, double tolerance) {
        int d = Table.columns("centers", start);
        int k = start.length;
        if (maxIterations < 0 || !(tolerance >= 0)) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "no limits to iterate within: maxIterations=" + maxIterations
                + ", tolerance=" + tolerance + "; use 0 or more");
        }
        try (Table table = new Table(session, points, null)) {
            if (table.columns != d) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "centers of another dimension than points: centers=" + d
                    + ", points=" + table.columns);
            }
            double[] centers = flat(start, d);
            boolean converged = false;
            int iteration = 0;
            while (iteration < maxIterations && !converged) {
                double[] moved = move(table, centers, k);
                converged = furthest(centers, moved, d) <= tolerance * tolerance;
                centers = moved;
                iteration++;
            }
            int[] labels = new int[table.rows];
            double cost = label(table, centers, k, labels);
            return new KMeansModel(rows(centers, d), labels, cost, iteration, converged, table.run());
        }
    }

    /** Each center to the mean of its points; one without any stays. */
    private static double[] move(Table table, double[] centers, int k) {
        int d = table.columns;
        double[] sums = new double[k * d + k + 1];
        table.pass(centers, 0, (long) sums.length * Double.BYTES, 0,
            (batch, input, output) -> Request.of(PREFIX + "AssignDouble").arg(batch.values()).arg(batch.noWeights()).arg(input)
                .arg(output).arg(batch.rows()).arg(d).arg(k),
            (batch, output) -> {
                for (int i = 0; i < sums.length; i++) {
                    sums[i] += output.getDouble(i * Double.BYTES);
                }
            });
        double[] moved = centers.clone();
        for (int i = 0; i < moved.length; i++) {
            double count = sums[k * d + i / d];
            if (count > 0) {
                moved[i] = sums[i] / count;
            }
        }
        return moved;
    }

    private static double label(Table table, double[] centers, int k, int[] labels) {
        int d = table.columns;
        double[] cost = new double[1];
        table.pass(centers, Double.BYTES + Integer.BYTES, 0, Double.POSITIVE_INFINITY,
            (batch, input, output) -> {
                long distances = (long) batch.rows() * Double.BYTES;
                return Request.of(PREFIX + "NearestDouble").arg(batch.values()).arg(input)
                    .readWrite(output.segment(), output.offsetBytes(), distances)
                    .readWrite(output.segment(), output.offsetBytes() + distances, (long) batch.rows() * Integer.BYTES)
                    .arg(batch.rows()).arg(d).arg(k).arg(0);
            },
            (batch, output) -> take(batch, output, labels, cost));
        return cost[0];
    }

    private static void take(Table.Batch batch, ByteBuffer output, int[] labels, double[] cost) {
        for (int i = 0; i < batch.rows(); i++) {
            cost[0] += output.getDouble(i * Double.BYTES);
            labels[batch.first() + i] = output.getInt(batch.rows() * Double.BYTES + i * Integer.BYTES);
        }
    }

    private static double furthest(double[] from, double[] to, int d) {
        double most = 0;
        for (int center = 0; center < from.length; center += d) {
            double squares = 0;
            for (int t = center; t < center + d; t++) {
                squares += (from[t] - to[t]) * (from[t] - to[t]);
            }
            most = Math.max(most, squares);
        }
        return most;
    }

    private static double[] flat(double[][] rows, int d) {
        double[] flat = new double[rows.length * d];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(rows[i], 0, flat, i * d, d);
        }
        return flat;
    }

    private static double[][] rows(double[] flat, int d) {
        double[][] rows = new double[flat.length / d][];
        Arrays.setAll(rows, i -> Arrays.copyOfRange(flat, i * d, (i + 1) * d));
        return rows;
    }
}
