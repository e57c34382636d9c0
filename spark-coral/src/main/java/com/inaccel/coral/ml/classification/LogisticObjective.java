package com.inaccel.coral.ml.classification;

import breeze.linalg.DenseVector;
import breeze.linalg.DenseVector$;
import breeze.optimize.CachedDiffFunction;
import breeze.optimize.DiffFunction;
import com.inaccel.coral.ml.classification.GradientPass.Point;
import com.inaccel.coral.ml.shipping.FeatureSummary;
import java.lang.invoke.LambdaMetafactory;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import scala.Tuple2;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * What is minimized, as {@link org.apache.spark.ml.classification.LogisticRegression} defines it: the mean loss plus the L2
 * penalty, as a function of the coefficients of standardized features.
 *
 * <p>The coefficients lie one feature after another ({@code [feature][set]}), the intercepts last. Features are scaled by
 * 1 / std (0 for a constant feature) and, where {@code centered}, moved by their mean; but never in the data: weights of the
 * features as they are go to the executors, and what comes back is scaled and moved here.
 */
final class LogisticObjective {
    private static final ClassTag<Object> DOUBLE = ClassTag$.MODULE$.Double();

    private final int sets;
    private final int features;
    private final boolean intercept;
    private final boolean centered;
    private final double[] mean;
    private final double[] inverseStd;
    private final double weightSum;
    private final double[] penalties;
    private final Function<Point, double[]> passes;
    private final List<Double> history = new ArrayList<>();

    /**
     * @param sets 1: binomial; else the classes
     * @param penalties the L2 penalty of each feature's standardized coefficients
     * @param passes what sums over the data
     */
    LogisticObjective(int sets, boolean intercept, boolean centered, FeatureSummary summary, double[] penalties,
            Function<Point, double[]> passes) {
        this.sets = sets;
        this.intercept = intercept;
        this.centered = centered;
        this.mean = summary.means();
        this.features = mean.length;
        this.inverseStd = inverse(summary.standardDeviations());
        this.weightSum = summary.weightSum();
        this.penalties = penalties;
        this.passes = passes;
    }

    private static double[] inverse(double[] std) {
        double[] inverse = new double[std.length];
        for (int j = 0; j < std.length; j++) {
            inverse[j] = std[j] != 0 ? 1.0 / std[j] : 0;
        }
        return inverse;
    }

    static DenseVector<Object> vector(double[] values) {
        return DenseVector$.MODULE$.apply$mDc$sp(values);
    }

    static double[] array(DenseVector<?> vector) {
        return vector.toArray$mcD$sp(DOUBLE);
    }

    /** To be called with the objective after each iteration, the initial one included. */
    void reached(double objective) {
        history.add(objective);
    }

    double[] history() {
        return history.stream().mapToDouble(Double::doubleValue).toArray();
    }

    /**
     * The objective as Breeze takes it, which evaluates a point that an optimizer comes back to once. The interface has two
     * {@code apply} that differ only in what they return, so Java's compiler refuses to implement it; but all of its methods
     * have a default except for the one that is linked here.
     */
    @SuppressWarnings("unchecked")
    DiffFunction<DenseVector<Object>> function() {
        try {
            MethodHandles.Lookup here = MethodHandles.lookup();
            MethodType type = MethodType.methodType(Tuple2.class, Object.class);
            MethodHandle calculate = here.findVirtual(LogisticObjective.class, "calculate", type);
            DiffFunction<DenseVector<Object>> function = (DiffFunction<DenseVector<Object>>) LambdaMetafactory
                .metafactory(here, "calculate", MethodType.methodType(DiffFunction.class, LogisticObjective.class), type,
                    calculate, type)
                .getTarget().invoke(this);
            return new CachedDiffFunction<>(function, DenseVector$.MODULE$.canCopyDenseVector(DOUBLE));
        } catch (Throwable e) {
            throw new LinkageError("Breeze's DiffFunction is not as expected", e);
        }
    }

    @SuppressWarnings("UnusedMethod") // found by its name, above
    private Tuple2<Object, DenseVector<Object>> calculate(Object point) {
        double[] coefficients = array((DenseVector<?>) point);
        double[] sums = passes.apply(point(coefficients));
        double[] gradient = gradient(sums);
        double loss = sums[sums.length - 1] / weightSum + penalize(coefficients, gradient);
        requireFinite(loss, gradient);
        return new Tuple2<>(loss, vector(gradient));
    }

    private Point point(double[] coefficients) {
        double[] rows = new double[sets * (features + 1)];
        for (int set = 0; set < sets; set++) {
            int row = set * (features + 1);
            double offset = intercept ? coefficients[features * sets + set] : 0;
            for (int j = 0; j < features; j++) {
                double weight = coefficients[j * sets + set] * inverseStd[j];
                rows[row + j] = weight;
                offset += centered ? 0 : weight * mean[j];
            }
            rows[row + features] = offset;
        }
        return new Point(sets, rows);
    }

    private double[] gradient(double[] sums) {
        double[] gradient = new double[features * sets + (intercept ? sets : 0)];
        for (int set = 0; set < sets; set++) {
            int row = set * (features + 1);
            double multipliers = sums[row + features];
            for (int j = 0; j < features; j++) {
                double sum = centered ? sums[row + j] : sums[row + j] + mean[j] * multipliers;
                gradient[j * sets + set] = sum * inverseStd[j] / weightSum;
            }
            if (intercept) {
                gradient[features * sets + set] = multipliers / weightSum;
            }
        }
        return gradient;
    }

    /** Adds the penalty's gradient and returns the penalty. */
    private double penalize(double[] coefficients, double[] gradient) {
        double penalty = 0;
        for (int j = 0; j < features; j++) {
            for (int i = j * sets; i < (j + 1) * sets; i++) {
                gradient[i] += penalties[j] * coefficients[i];
                penalty += 0.5 * penalties[j] * coefficients[i] * coefficients[i];
            }
        }
        return penalty;
    }

    /** A loss that is not finite is the line search's to avoid; a finite one without a gradient leads nowhere. */
    private void requireFinite(double loss, double[] gradient) {
        for (double derivative : gradient) {
            if (Double.isFinite(loss) && !Double.isFinite(derivative)) {
                throw notFinite("gradient", derivative);
            }
        }
    }

    /** What stops a fit that would end in coefficients that are not numbers. */
    IllegalStateException notFinite(String what, double value) {
        return new IllegalStateException(what + " is not finite: iteration=" + history.size() + ", " + what + "=" + value
            + ", objective so far=" + (history.isEmpty() ? "none" : history.get(history.size() - 1))
            + "; scale the features, or store them in double (spark.coral.precision)");
    }

    /** From intercepts of plain features to those of centered ones with sign 1, back with -1. */
    void moveIntercepts(double[] coefficients, int sign) {
        for (int set = 0; centered && set < sets; set++) {
            double moved = 0;
            for (int j = 0; j < features; j++) {
                moved += coefficients[j * sets + set] * (inverseStd[j] * mean[j]);
            }
            coefficients[features * sets + set] += sign * moved;
        }
    }
}
