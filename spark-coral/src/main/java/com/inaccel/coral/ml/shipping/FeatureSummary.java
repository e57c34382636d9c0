package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;

/**
 * What MLlib's estimators learn from a first pass over the data, made while it is shipped: means and standard deviations
 * of the features as {@code org.apache.spark.ml.stat.SummarizerBuffer} defines them, and weights of the labels as
 * {@code MultiClassSummarizer} does. Rows of weight zero count for nothing.
 *
 * <p>A mean is kept as a number near the feature's values and an offset from it: differences between the means of
 * partitions keep their digits however far from zero the feature lies, and are zero for a feature that is constant.
 */
public final class FeatureSummary implements Serializable {
    private static final long serialVersionUID = 1L;

    private final long rows;
    private final double weightSum;
    private final double squaredWeightSum;
    private final double[] pivots;
    private final double[] offsets;
    private final double[] squares;
    private final double[] labelWeights;

    /**
     * Takes the arrays over.
     *
     * @param squares weighted sums of the squared distances to the mean
     * @param labelWeights sum of weights per label, up to the largest label of any weight
     */
    FeatureSummary(long rows, double weightSum, double squaredWeightSum, double[] pivots, double[] offsets,
            double[] squares, double[] labelWeights) {
        this.rows = rows;
        this.weightSum = weightSum;
        this.squaredWeightSum = squaredWeightSum;
        this.pivots = pivots;
        this.offsets = offsets;
        this.squares = squares;
        this.labelWeights = labelWeights;
    }

    /** The summary of all the rows; the parts are taken in the order given, which decides the last bits. */
    static FeatureSummary merge(List<FeatureSummary> parts) {
        List<FeatureSummary> filled = parts.stream().filter(part -> part.rows > 0).toList();
        if (filled.isEmpty()) {
            return new FeatureSummary(0, 0, 0, new double[0], new double[0], new double[0], new double[0]);
        }
        FeatureSummary first = filled.get(0);
        double[] offsets = first.offsets.clone();
        double[] squares = first.squares.clone();
        double[] labelWeights = first.labelWeights.clone();
        long rows = first.rows;
        double weight = first.weightSum;
        double squaredWeight = first.squaredWeightSum;
        for (FeatureSummary part : filled.subList(1, filled.size())) {
            requireSameSize(first, part);
            double both = weight + part.weightSum;
            double share = part.weightSum / both;
            double between = weight * share;
            for (int i = 0; i < offsets.length; i++) {
                double apart = (part.pivots[i] - first.pivots[i]) + (part.offsets[i] - offsets[i]);
                offsets[i] += apart * share;
                squares[i] += part.squares[i] + apart * apart * between;
            }
            labelWeights = sum(labelWeights, part.labelWeights);
            rows += part.rows;
            weight = both;
            squaredWeight += part.squaredWeightSum;
        }
        return new FeatureSummary(rows, weight, squaredWeight, first.pivots, offsets, squares, labelWeights);
    }

    private static void requireSameSize(FeatureSummary first, FeatureSummary part) {
        if (part.features() != first.features()) {
            throw new IllegalArgumentException("vectors of different sizes: size=" + part.features() + ", expected="
                + first.features() + ", as in the partitions before it");
        }
    }

    private static double[] sum(double[] a, double[] b) {
        double[] sum = Arrays.copyOf(a, Math.max(a.length, b.length));
        for (int i = 0; i < b.length; i++) {
            sum[i] += b[i];
        }
        return sum;
    }

    long heapBytes() {
        return (3L * pivots.length + labelWeights.length) * Double.BYTES;
    }

    /** Rows of a weight above zero. */
    public long rows() {
        return rows;
    }

    /** Dimension of the rows; 0 where there is none. */
    public int features() {
        return pivots.length;
    }

    public double weightSum() {
        return weightSum;
    }

    /** Weighted means of the features. */
    public double[] means() {
        double[] means = new double[pivots.length];
        for (int i = 0; i < means.length; i++) {
            means[i] = pivots[i] + offsets[i];
        }
        return means;
    }

    /** Square roots of the unbiased variances, weights taken as MLlib takes them; exactly 0 for a constant feature. */
    public double[] standardDeviations() {
        double[] deviations = new double[squares.length];
        double denominator = weightSum - squaredWeightSum / weightSum;
        for (int i = 0; i < deviations.length && denominator > 0; i++) {
            deviations[i] = Math.sqrt(squares[i] / denominator);
        }
        return deviations;
    }

    /** Sum of the weights of each label, from 0 to the largest that has any; empty where rows have no labels. */
    public double[] labelWeights() {
        return labelWeights.clone();
    }
}
