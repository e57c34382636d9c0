package com.inaccel.coral.ml.clustering;

import com.inaccel.coral.ml.FitReport;
import com.inaccel.coral.ml.shipping.Sent;
import com.inaccel.coral.ml.shipping.ShippedData;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.util.Instrumentation;

/**
 * Lloyd's algorithm, as {@link org.apache.spark.mllib.clustering.KMeans} runs it: an empty cluster keeps its center; it
 * has converged when no updated center moved further than tol; the cost is that before the last update.
 *
 * <p>Under the cosine measure rows travel as unit vectors, and so do the centers, so that the nearest in the Euclidean
 * sense is the nearest by angle: |x - c|² = 2 (1 - cos).
 */
final class KMeansFit {
    private static final String COSINE = "cosine";
    private static final String RANDOM = "random";

    private final ShippedData data;
    private final KMeans estimator;
    private final Instrumentation instrumentation;
    private final boolean cosine;
    private int iterations;
    private double trainingCost;
    private long initNanos;
    private long iterateNanos;

    KMeansFit(ShippedData data, KMeans estimator, Instrumentation instrumentation) {
        this.data = data;
        this.estimator = estimator;
        this.instrumentation = instrumentation;
        this.cosine = isCosine(estimator.getDistanceMeasure());
    }

    static boolean isCosine(String distanceMeasure) {
        return COSINE.equals(distanceMeasure);
    }

    /** Returns the centers. */
    double[][] run() {
        long start = System.nanoTime();
        data.features(); // refuses partitions of different dimensions before anything is computed
        KMeansInit init = new KMeansInit(data, estimator.getK(), estimator.getSeed(), cosine);
        double[][] centers = RANDOM.equals(estimator.getInitMode())
            ? init.random() : init.parallel(estimator.getInitSteps());
        instrumentation.logNumFeatures(centers[0].length);
        instrumentation.logNumExamples(data.rows());
        initNanos = System.nanoTime() - start;
        boolean converged = false;
        while (iterations < estimator.getMaxIter() && !converged) {
            converged = update(centers, assign(centers));
            instrumentation.logNamedValue("Cost@iter=" + iterations, Double.toString(trainingCost));
            iterations++;
        }
        iterateNanos = System.nanoTime() - start - initNanos;
        return centers;
    }

    int iterations() {
        return iterations;
    }

    double trainingCost() {
        return trainingCost;
    }

    private double[] assign(double[][] centers) {
        int k = centers.length;
        int d = centers[0].length;
        try (Sent<double[]> sent = KMeansInit.send(data, List.of(centers), cosine)) {
            return data.sum((partition, index, stats) ->
                new KMeansTask(partition, stats, d).assign(sent.value(), k), k * d + k + 1);
        }
    }

    /** Moves the centers to the means of their rows; whether none of them moved further than tol. */
    private boolean update(double[][] centers, double[] sums) {
        int k = centers.length;
        int d = centers[0].length;
        boolean converged = true;
        for (int j = 0; j < k; j++) {
            double weight = sums[k * d + j];
            if (weight > 0) {
                double[] mean = new double[d];
                for (int i = 0; i < d; i++) {
                    mean[i] = sums[j * d + i] * (1.0 / weight);
                }
                double[] center = cosine ? unit(mean) : mean;
                converged &= moved(centers[j], center) <= estimator.getTol();
                centers[j] = center;
            }
        }
        double squaredDistances = sums[k * d + k];
        trainingCost = cosine ? squaredDistances / 2 : squaredDistances;
        return converged;
    }

    private double moved(double[] from, double[] to) {
        if (!cosine) {
            return Math.sqrt(squaredDistance(from, to));
        }
        return squaredDistance(unit(from), to) / 2;
    }

    private static double squaredDistance(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return sum;
    }

    static double[] unit(double[] vector) {
        double norm = Math.sqrt(squaredDistance(vector, new double[vector.length]));
        if (!(norm > 0)) {
            throw new AssertionError("Cosine distance is not defined for zero-length vectors.");
        }
        return Arrays.stream(vector).map(value -> value * (1.0 / norm)).toArray();
    }

    FitReport report() {
        return FitReport.of(data, initNanos, iterateNanos);
    }
}
