package com.inaccel.coral.engine;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Rows, labels, weights and coefficients of a case, and what they give. */
final class LogisticProblem {
    /** How large margins become, and which labels there are. */
    enum Data {
        NORMAL(0.3, false),
        SATURATED(1e3, false),
        OVERFLOWING(1e307, false),
        MISLABELLED(0.3, true);

        final double coefficient;
        final boolean mislabelled;

        Data(double coefficient, boolean mislabelled) {
            this.coefficient = coefficient;
            this.mislabelled = mislabelled;
        }
    }

    record Case(Data data, int n, int d, int classes, int models, boolean weighted, boolean single) {
        int columns() {
            return classes * models;
        }

        int resultLength() {
            return columns() * (d + 1) + models;
        }
    }

    final Case is;
    final double[] features;
    final int[] labels;
    final double[] weights;
    final double[] coefficients;
    final int[] rowStarts;
    final int[] csrIndices;
    final double[] csrValues;

    /** @param sparse whether most features are zero, and some rows empty */
    LogisticProblem(Case is, boolean sparse) {
        this.is = is;
        Random random = new Random(is.hashCode());
        features = new double[is.n * is.d];
        for (int e = 0; e < features.length; e++) {
            double value = 3 * random.nextGaussian();
            boolean zero = sparse && (random.nextInt(3) != 0 || e / is.d % 10 == 4);
            features[e] = zero ? 0 : is.single ? (float) value : value;
        }
        int labelled = Math.max(2, is.classes);
        labels = random.ints(is.n, 0, labelled).toArray();
        if (is.data.mislabelled) {
            labels[is.n / 2] = new int[] {-1, labelled, Integer.MIN_VALUE, Integer.MAX_VALUE}[is.n % 4];
        }
        weights = IntStream.range(0, is.n).mapToDouble(i -> is.weighted ? i % 5 / 3.0 : 1).toArray();
        coefficients = random.doubles((long) is.columns() * (is.d + 1), -1, 1).map(c -> c * is.data.coefficient)
            .toArray();
        rowStarts = new int[is.n + 1];
        csrIndices = IntStream.range(0, features.length).filter(e -> features[e] != 0).map(e -> e % is.d).toArray();
        csrValues = Arrays.stream(features).filter(value -> value != 0).toArray();
        for (int e = 0; e < features.length; e++) {
            rowStarts[e / is.d + 1] += features[e] != 0 ? 1 : 0;
        }
        for (int i = 0; i < is.n; i++) {
            rowStarts[i + 1] += rowStarts[i];
        }
    }

    private LogisticProblem(LogisticProblem all, int model) {
        is = new Case(all.is.data, all.is.n, all.is.d, all.is.classes, 1, all.is.weighted, all.is.single);
        int length = is.classes * (is.d + 1);
        features = all.features;
        labels = all.labels;
        weights = all.weights;
        coefficients = Arrays.copyOfRange(all.coefficients, model * length, (model + 1) * length);
        rowStarts = all.rowStarts;
        csrIndices = all.csrIndices;
        csrValues = all.csrValues;
    }

    LogisticProblem only(int model) {
        return new LogisticProblem(this, model);
    }

    List<ByteBuffer> dense() {
        return List.of(real(features));
    }

    List<ByteBuffer> csr() {
        return List.of(ints(rowStarts), ints(csrIndices), real(csrValues));
    }

    private ByteBuffer real(double[] values) {
        if (!is.single) {
            return doubles(values);
        }
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.nativeOrder());
        Arrays.stream(values).forEach(value -> buffer.putFloat((float) value));
        return buffer.flip();
    }

    private double coefficient(int column, int t) {
        return coefficients[column * (is.d + 1) + t];
    }

    private int first(int row) {
        return Math.max(0, Math.min(csrIndices.length, rowStarts[row]));
    }

    private int last(int row) {
        return Math.max(first(row), Math.min(csrIndices.length, rowStarts[row + 1]));
    }

    /** The result, operation by operation. */
    double[] contract(boolean sparse) {
        long enough = sparse ? (long) is.classes * Math.max(16, is.d) : 16L * is.classes;
        int least = sparse ? 2048 : Math.max(64, Math.min(2048, (1 << 17) / is.d));
        int blockRows = (int) Math.max(least, Math.min(enough, (is.n + 7) / 8));
        double[] total = null;
        for (int begin = 0; begin < is.n; begin += blockRows) {
            double[] block = block(sparse, begin, Math.min(is.n, begin + blockRows));
            if (total == null) {
                total = block;
            } else {
                for (int e = 0; e < total.length; e++) {
                    total[e] += block[e];
                }
            }
        }
        return total;
    }

    private double[] block(boolean sparse, int begin, int end) {
        double[] sums = new double[is.resultLength()];
        double[][] lanes = new double[is.columns()][8];
        double[][] losses = new double[is.models][8];
        for (int i = begin; i < end; i++) {
            double[] multipliers = new double[is.columns()];
            for (int c = 0; c < is.columns(); c++) {
                multipliers[c] = sparse ? sparseMargin(i, c) : denseMargin(i, c);
            }
            for (int m = 0; m < is.models; m++) {
                losses[m][(i - begin) % 8] += is.classes == 1 ? binomial(multipliers, m, i) : multinomial(multipliers, m, i);
            }
            for (int c = 0; c < is.columns(); c++) {
                lanes[c][(i - begin) % 8] += multipliers[c];
                for (int p = sparse ? first(i) : 0; p < (sparse ? last(i) : is.d); p++) {
                    int t = sparse ? csrIndices[p] : p;
                    if (t >= 0 && t < is.d) {
                        int sum = c * (is.d + 1) + t;
                        sums[sum] = Math.fma(multipliers[c], sparse ? csrValues[p] : features[i * is.d + t], sums[sum]);
                    }
                }
            }
        }
        for (int c = 0; c < is.columns(); c++) {
            sums[c * (is.d + 1) + is.d] = tree(lanes[c]);
        }
        for (int m = 0; m < is.models; m++) {
            sums[is.columns() * (is.d + 1) + m] = tree(losses[m]);
        }
        return sums;
    }

    private double denseMargin(int row, int column) {
        double[] a = new double[8];
        for (int t = 0; t < (is.d + 7) / 8 * 8; t++) {
            a[t % 8] = t < is.d ? Math.fma(features[row * is.d + t], coefficient(column, t), a[t % 8])
                : Math.fma(0, 0, a[t % 8]);
        }
        return tree(a) + coefficient(column, is.d);
    }

    private double sparseMargin(int row, int column) {
        double[] a = new double[4];
        for (int p = first(row); p < last(row); p++) {
            int t = csrIndices[p];
            if (t >= 0 && t < is.d) {
                int chain = (p - first(row)) % 4;
                a[chain] = Math.fma(csrValues[p], coefficient(column, t), a[chain]);
            }
        }
        return ((a[0] + a[2]) + (a[1] + a[3])) + coefficient(column, is.d);
    }

    private static double tree(double[] a) {
        return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    }

    private double binomial(double[] margins, int model, int row) {
        double z = labels[row] == 1 ? -margins[model] : margins[model];
        double e = exp(-Math.abs(z));
        double part = weights[row] * ((z >= 0 ? 1 : e) / (1 + e));
        margins[model] = labels[row] == 1 ? -part : part;
        if (labels[row] != 0 && labels[row] != 1) {
            return Double.NaN;
        }
        return weights[row] * ((z > 0 ? z : 0) + log1p(e));
    }

    private double multinomial(double[] margins, int model, int row) {
        int from = model * is.classes;
        double max = margins[from];
        for (int c = 1; c < is.classes; c++) {
            max = margins[from + c] > max ? margins[from + c] : max;
        }
        boolean known = labels[row] >= 0 && labels[row] < is.classes;
        double own = known ? margins[from + labels[row]] : Double.NaN;
        double sum = 0;
        for (int c = 0; c < is.classes; c++) {
            margins[from + c] = exp(margins[from + c] - max);
            sum += margins[from + c];
        }
        for (int c = 0; c < is.classes; c++) {
            margins[from + c] = weights[row] * Math.fma(margins[from + c], 1 / sum, c == labels[row] ? -1 : 0);
        }
        return weights[row] * (log(sum) - (own - max));
    }

    static double exp(double power) {
        if (Double.isNaN(power)) {
            return power;
        }
        double x = Math.max(power, -708);
        double k = Math.rint(Math.fma(x, 0x1.71547652b82fep0, 0));
        double r = Math.fma(-k, 0x1.a39ef35793c76p-33, Math.fma(-k, 0x1.62e42fee00000p-1, x));
        double q = 0;
        for (double coefficient : new double[] {0x1.af38a9b0ec855p-26, 0x1.289185613a3d6p-22, 0x1.71de0dae63bb3p-19,
            0x1.a019b90d2ae7ap-16, 0x1.a01a01a7c41d5p-13, 0x1.6c16c1788bd90p-10, 0x1.11111111109b3p-7,
            0x1.5555555553d63p-5, 0x1.5555555555556p-3, 0x1.0000000000001p-1}) {
            q = Math.fma(q, r, coefficient);
        }
        return Math.scalb(Math.fma(r * r, q, r) + 1, (int) k);
    }

    static double log(double x) {
        if (Double.isNaN(x)) {
            return x;
        }
        int k = Math.getExponent(x);
        double f = Math.scalb(x, -k);
        if (f >= 0x1.6a09e667f3bcdp0) {
            f /= 2;
            k++;
        }
        return Math.fma(k, 0x1.62e42fee00000p-1, Math.fma(k, 0x1.a39ef35793c76p-33, atanh2((f - 1) / (f + 1))));
    }

    static double log1p(double x) {
        return atanh2(x / (2 + x));
    }

    private static double atanh2(double s) {
        double u = s * s;
        double q = 0;
        for (double coefficient : new double[] {0x1.4b0a26c5f2aefp-3, 0x1.687a6e7c95176p-4, 0x1.eb905e8575054p-4,
            0x1.10ac75dc602b1p-3, 0x1.3b18b294bebf9p-3, 0x1.745cf0b0e03bdp-3, 0x1.c71c727143318p-3,
            0x1.24924923d44c6p-2, 0x1.999999999a3ddp-2, 0x1.5555555555555p-1}) {
            q = Math.fma(q, u, coefficient);
        }
        return Math.fma(u * s, q, s + s);
    }

    /** Result and, for each element, the sum of what it is made of without signs; with the library's functions. */
    double[][] exact() {
        double[][] sums = new double[2][is.resultLength()];
        for (int i = 0; i < is.n; i++) {
            int label = labels[i];
            for (int m = 0; m < is.models; m++) {
                int from = m * is.classes;
                double[] margins = new double[Math.max(2, is.classes)];
                double size = 0;
                for (int c = 0; c < is.classes; c++) {
                    // A binomial model is one of two classes, the first without coefficients.
                    int at = is.classes == 1 ? 1 : c;
                    margins[at] = coefficient(from + c, is.d);
                    for (int t = 0; t < is.d; t++) {
                        margins[at] += features[i * is.d + t] * coefficient(from + c, t);
                        size = Math.max(size, Math.abs(features[i * is.d + t] * coefficient(from + c, t)));
                    }
                }
                double max = Arrays.stream(margins).max().getAsDouble();
                double sum = Arrays.stream(margins).map(margin -> StrictMath.exp(margin - max)).sum();
                double others = IntStream.range(0, margins.length).filter(c -> c != label)
                    .mapToDouble(c -> StrictMath.exp(margins[c] - margins[label])).sum();
                // A margin's rounding grows with its terms, and goes into everything that follows.
                double scale = weights[i] * (1 + size);
                add(sums, is.columns() * (is.d + 1) + m, weights[i] * loss(margins, max, sum, others, label),
                    scale);
                for (int c = 0; c < is.classes; c++) {
                    int at = is.classes == 1 ? 1 : c;
                    double p = StrictMath.exp(margins[at] - max) / sum;
                    double multiplier = weights[i] * (p - (at == label ? 1 : 0));
                    for (int t = 0; t <= is.d; t++) {
                        double x = t == is.d ? 1 : features[i * is.d + t];
                        add(sums, (from + c) * (is.d + 1) + t, multiplier * x, scale * Math.abs(x));
                    }
                }
            }
        }
        return sums;
    }

    private static double loss(double[] margins, double max, double sum, double others, int label) {
        return others < 1 ? StrictMath.log1p(others) : StrictMath.log(sum) - (margins[label] - max);
    }

    private static void add(double[][] sums, int at, double value, double scale) {
        sums[0][at] += value;
        sums[1][at] += Math.abs(value) + scale;
    }

    static ByteBuffer doubles(double[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(ByteOrder.nativeOrder());
        buffer.asDoubleBuffer().put(values);
        return buffer;
    }

    static ByteBuffer ints(int[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(ByteOrder.nativeOrder());
        buffer.asIntBuffer().put(values);
        return buffer;
    }
}
