package com.inaccel.coral.bench;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.LongFunction;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What is classified, and how. A model's numbers are, for each of its {@link #sets}, the coefficients and then the
 * intercept.
 *
 * <p>Labels are drawn from the probabilities of a linear model, so that no plane parts the classes and the best model is
 * well defined. Features differ in scale by up to four powers of ten, and dense ones share a few common factors: without
 * those the optimizer would be done after a handful of steps. Which features a sparse row has is drawn with a preference for
 * the first ones, as words of a text are.
 *
 * @param classes 2 or more; 2: binomial
 * @param nonZeros values of a sparse row; 0: dense
 * @param iterations at most
 * @param tolerance of the optimizers' convergence, in the sense of each
 * @param regParams L2 penalties: one model each
 * @param condition of a common factor's variance, summed over the dense features, to a feature's own: about the condition
 *     of the problem, and so what decides how many steps an optimizer takes
 */
record LogisticWorkload(long rows, int features, int classes, int nonZeros, int iterations, double tolerance,
        List<Double> regParams, double condition, long seed) implements Workload {
    private static final long serialVersionUID = 1L;

    /** Spread of the true margins, in units of the logistic distribution's scale. */
    private static final double SIGNAL = 2;
    private static final double SCALE_POWERS = 2;
    private static final int FACTORS = 4;

    boolean sparse() {
        return nonZeros > 0;
    }

    boolean multinomial() {
        return classes > 2;
    }

    /** Margins of a row: one for two classes, else one a class. */
    int sets() {
        return multinomial() ? classes : 1;
    }

    @Override
    public int valuesOfARow() {
        return sparse() ? nonZeros : features;
    }

    @Override
    public LogisticWorkload withRows(long count) {
        return new LogisticWorkload(count, features, classes, nonZeros, iterations, tolerance, regParams, condition, seed);
    }

    /** Floating-point operations of evaluating loss and gradient once: margins and sums take two for each value and set. */
    double flops() {
        return 4.0 * rows * valuesOfARow() * sets();
    }

    /** Bytes of values and indices that an evaluation reads, values of that width. */
    double bytes(int width) {
        return (double) rows * valuesOfARow() * (width + (sparse() ? Integer.BYTES : 0));
    }

    @Override
    public StructType schema() {
        return new StructType().add(LABEL, DataTypes.DoubleType, false).add(FEATURES, SQLDataTypes.VectorType(), false);
    }

    @Override
    public LongFunction<Row> rowMaker() {
        Generator generator = generator();
        return index -> {
            generator.make(index);
            double[] values = generator.values.clone();
            return RowFactory.create((double) generator.label, sparse()
                ? Vectors.sparse(features, generator.indices.clone(), values) : Vectors.dense(values));
        };
    }

    Generator generator() {
        return new Generator(this);
    }

    /** Minus the logarithm of the probability that margins give to a label. */
    static double loss(double[] margins, int label) {
        if (margins.length == 1) {
            double towards = label == 1 ? margins[0] : -margins[0];
            return Math.max(-towards, 0) + Math.log1p(Math.exp(-Math.abs(towards)));
        }
        double greatest = Arrays.stream(margins).max().orElseThrow();
        double sum = 0;
        for (double margin : margins) {
            sum += Math.exp(margin - greatest);
        }
        return Math.log(sum) + greatest - margins[label];
    }

    /** One row at a time, in its fields. Not thread-safe. */
    static final class Generator {
        /** Ascending; empty where rows are dense. */
        final int[] indices;
        final double[] values;
        int label;

        private final LogisticWorkload workload;
        private final double[] scales;
        private final double[] offsets;
        private final double[][] loadings;
        /** Of the standardized features. */
        private final double[][] truth;
        private final double[] margins;
        private final double[] factors = new double[FACTORS];
        /** Standard deviation of what a dense feature has for itself. */
        private final double own;

        private Generator(LogisticWorkload workload) {
            this.workload = workload;
            int features = workload.features;
            indices = new int[workload.nonZeros];
            values = new double[workload.valuesOfARow()];
            margins = new double[workload.sets()];
            SplittableRandom random = new SplittableRandom(workload.seed);
            scales = new double[features];
            Arrays.setAll(scales, feature -> Math.pow(10, random.nextDouble(-SCALE_POWERS, SCALE_POWERS)));
            offsets = new double[features];
            if (!workload.sparse()) {
                Arrays.setAll(offsets, feature -> random.nextGaussian());
            }
            double common = workload.condition * FACTORS / features;
            own = Math.sqrt(1 / (1 + common));
            loadings = new double[workload.sparse() ? 0 : features][FACTORS];
            for (double[] loading : loadings) {
                Arrays.setAll(loading, factor -> random.nextGaussian() * own * Math.sqrt(common / FACTORS));
            }
            truth = new double[workload.sets()][features + 1];
            double spread = SIGNAL / Math.sqrt(workload.valuesOfARow());
            for (double[] set : truth) {
                Arrays.setAll(set, feature -> random.nextGaussian() * spread);
            }
        }

        /** The model that the labels are drawn from. */
        double[] trueModel() {
            int features = workload.features;
            double[] model = new double[truth.length * (features + 1)];
            for (int set = 0; set < truth.length; set++) {
                int from = set * (features + 1);
                double intercept = truth[set][features];
                for (int feature = 0; feature < features; feature++) {
                    model[from + feature] = truth[set][feature] / scales[feature];
                    intercept -= truth[set][feature] * offsets[feature];
                }
                model[from + features] = intercept;
            }
            return model;
        }

        void make(long index) {
            SplittableRandom random = new SplittableRandom(Workload.rowSeed(workload.seed, index));
            for (int set = 0; set < truth.length; set++) {
                margins[set] = truth[set][workload.features];
            }
            if (workload.sparse()) {
                makeSparse(random);
            } else {
                makeDense(random);
            }
            label = draw(random.nextDouble());
        }

        /** True loss of the row that was made last. */
        double loss() {
            return LogisticWorkload.loss(margins, label);
        }

        private void makeDense(SplittableRandom random) {
            Arrays.setAll(factors, factor -> random.nextGaussian());
            for (int feature = 0; feature < values.length; feature++) {
                double standardized = random.nextGaussian() * own;
                for (int factor = 0; factor < FACTORS; factor++) {
                    standardized += loadings[feature][factor] * factors[factor];
                }
                add(feature, standardized);
                values[feature] = scales[feature] * (standardized + offsets[feature]);
            }
        }

        private void makeSparse(SplittableRandom random) {
            for (int drawn = 0; drawn < indices.length;) {
                double uniform = random.nextDouble();
                int feature = (int) (uniform * uniform * workload.features);
                int place = Arrays.binarySearch(indices, 0, drawn, feature);
                if (place < 0) {
                    System.arraycopy(indices, -place - 1, indices, -place, drawn + place + 1);
                    indices[-place - 1] = feature;
                    drawn++;
                }
            }
            for (int i = 0; i < indices.length; i++) {
                double standardized = random.nextGaussian();
                add(indices[i], standardized);
                values[i] = scales[indices[i]] * standardized;
            }
        }

        private void add(int feature, double standardized) {
            for (int set = 0; set < truth.length; set++) {
                margins[set] += standardized * truth[set][feature];
            }
        }

        private int draw(double uniform) {
            if (margins.length == 1) {
                return uniform < 1 / (1 + Math.exp(-margins[0])) ? 1 : 0;
            }
            double greatest = Arrays.stream(margins).max().orElseThrow();
            double left = uniform * Arrays.stream(margins).map(margin -> Math.exp(margin - greatest)).sum();
            for (int drawn = 0; drawn < margins.length - 1; drawn++) {
                left -= Math.exp(margins[drawn] - greatest);
                if (left < 0) {
                    return drawn;
                }
            }
            return margins.length - 1;
        }
    }
}
