package com.inaccel.coral.ml.shipping;

import java.util.Arrays;

/**
 * Makes the {@link FeatureSummary} of one partition, row by row.
 *
 * <p>This is Welford's algorithm, as in MLlib, on values from which the first of their feature was taken off: rounding
 * then follows the spread of a feature, not its distance from zero. Rows that store all their values share one sum of
 * weights, so their loop has no division and runs in vector registers. In sparse rows a feature has a sum of its own, over
 * what is stored; the zeros join at the end.
 */
final class FeatureSummarizer {
    /** More labels than this are no classes, but most likely a wrong column; their sums are kept in an array. */
    static final int LABEL_LIMIT = 1 << 20;
    private static final int LEAST_LABELS = 16;
    /** Of a sparse feature's four numbers, side by side to share a cache line: weight, pivot, offset, squares. */
    private static final int STRIDE = 4;

    private long rows;
    private double weightSum;
    private double squaredWeightSum;
    private double[] pivots = new double[0];
    private double[] offsets = new double[0];
    private double[] squares = new double[0];
    private double[] stored; // STRIDE numbers a feature; null for dense rows
    private double[] labelWeights = new double[0];
    private int labels;

    /** Rows must be of one size, and all sparse or all dense. {@code label} is negative where rows have none. */
    void add(FeatureRow row, double weight, int label) {
        if (!row.sparse) {
            add(row.values, 0, row.size, weight, label);
        } else if (weight != 0) {
            if (rows == 0) {
                stored = new double[Math.multiplyExact(STRIDE, row.size)];
                start(new double[row.size]);
            }
            count(weight, label);
            addSparse(row, weight);
        }
    }

    /** The dense row of {@code size} values at {@code from}. */
    void add(double[] values, int from, int size, double weight, int label) {
        if (weight == 0) {
            return;
        }
        if (rows == 0) {
            start(Arrays.copyOfRange(values, from, from + size));
        }
        double before = weightSum;
        count(weight, label);
        double share = weight / weightSum;
        addDense(values, from, pivots, offsets, squares, share, before * share);
    }

    private void start(double[] first) {
        pivots = first;
        offsets = new double[first.length];
        squares = new double[first.length];
    }

    private void count(double weight, int label) {
        rows++;
        weightSum += weight;
        squaredWeightSum += weight * weight;
        if (label >= 0) {
            addLabel(label, weight);
        }
    }

    private static void addDense(double[] values, int from, double[] pivots, double[] offsets, double[] squares,
            double share, double between) {
        for (int i = 0; i < pivots.length; i++) {
            double apart = values[from + i] - pivots[i] - offsets[i];
            offsets[i] += apart * share;
            squares[i] += apart * apart * between;
        }
    }

    private void addSparse(FeatureRow row, double weight) {
        for (int i = 0; i < row.count; i++) {
            int at = STRIDE * row.indices[i];
            double before = stored[at];
            if (before == 0) {
                stored[at + 1] = row.values[i];
            }
            double share = weight / (before + weight);
            double apart = row.values[i] - stored[at + 1] - stored[at + 2];
            stored[at] = before + weight;
            stored[at + 2] += apart * share;
            stored[at + 3] += apart * apart * (before * share);
        }
    }

    private void addLabel(int label, double weight) {
        if (label >= labelWeights.length) {
            if (label >= LABEL_LIMIT) {
                throw new IllegalArgumentException("label too large to be a class: label=" + label + ", limit="
                    + LABEL_LIMIT + "; number the classes from 0, without gaps");
            }
            int larger = Math.max(LEAST_LABELS, Math.max(label + 1, 2 * labelWeights.length));
            labelWeights = Arrays.copyOf(labelWeights, larger);
        }
        labelWeights[label] += weight;
        labels = Math.max(labels, label + 1);
    }

    FeatureSummary finish() {
        for (int i = 0; stored != null && i < pivots.length; i++) {
            joinZeros(i);
        }
        return new FeatureSummary(rows, weightSum, squaredWeightSum, pivots, offsets, squares,
            Arrays.copyOf(labelWeights, labels));
    }

    /**
     * A feature that every row stores added up the very weights that the rows did, in the same order: nothing is left for
     * zeros, to the bit.
     */
    private void joinZeros(int feature) {
        int at = STRIDE * feature;
        double share = stored[at] / weightSum;
        double zeros = weightSum - stored[at];
        double mean = stored[at + 1] + stored[at + 2];
        squares[feature] = stored[at + 3] + mean * mean * share * zeros;
        pivots[feature] = zeros == 0 ? stored[at + 1] : mean * share;
        offsets[feature] = zeros == 0 ? stored[at + 2] : 0;
    }
}
