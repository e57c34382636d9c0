package com.inaccel.coral.ml.classification;

import java.util.Arrays;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.Param;

/**
 * The box that coefficients and intercepts have to stay in, as the estimator's parameters have it.
 *
 * <p>Messages are those of {@link org.apache.spark.ml.classification.LogisticRegression}.
 */
final class Bounds {
    private final Matrix lowerCoefficients;
    private final Matrix upperCoefficients;
    private final Vector lowerIntercepts;
    private final Vector upperIntercepts;

    private Bounds(LogisticRegression estimator) {
        this.lowerCoefficients = ifSet(estimator, estimator.lowerBoundsOnCoefficients());
        this.upperCoefficients = ifSet(estimator, estimator.upperBoundsOnCoefficients());
        this.lowerIntercepts = ifSet(estimator, estimator.lowerBoundsOnIntercepts());
        this.upperIntercepts = ifSet(estimator, estimator.upperBoundsOnIntercepts());
    }

    private static <T> T ifSet(LogisticRegression estimator, Param<T> param) {
        return estimator.isSet(param) ? estimator.getOrDefault(param) : null;
    }

    static Bounds of(LogisticRegression estimator, int sets, int features) {
        Bounds bounds = new Bounds(estimator);
        bounds.requireShapes(sets, features);
        bounds.requireOrder();
        return bounds;
    }

    private void requireShapes(int sets, int features) {
        requireShape("LowerBoundsOnCoefficients", lowerCoefficients, sets, features);
        requireShape("upperBoundsOnCoefficients", upperCoefficients, sets, features);
        requireSize("lowerBoundsOnIntercepts", lowerIntercepts, sets);
        requireSize("upperBoundsOnIntercepts", upperIntercepts, sets);
    }

    private static void requireShape(String name, Matrix bounds, int sets, int features) {
        LogisticFit.require(bounds == null || (bounds.numRows() == sets && bounds.numCols() == features),
            () -> "The shape of " + name + " must be compatible with (1, number of features) for binomial regression, or "
                + "(number of classes, number of features) for multinomial regression, but found: (" + bounds.numRows()
                + ", " + bounds.numCols() + ").");
    }

    private static void requireSize(String name, Vector bounds, int sets) {
        LogisticFit.require(bounds == null || bounds.size() == sets, () -> "The size of " + name
            + " must be equal to 1 for binomial regression, or the number of classes for multinomial regression, but "
            + "found: " + bounds.size() + ".");
    }

    private void requireOrder() {
        if (lowerCoefficients != null && upperCoefficients != null) {
            requireOrder("BoundsOnCoefficients", lowerCoefficients, lowerCoefficients.toArray(), upperCoefficients,
                upperCoefficients.toArray());
        }
        if (lowerIntercepts != null && upperIntercepts != null) {
            requireOrder("BoundsOnIntercepts", lowerIntercepts, lowerIntercepts.toArray(), upperIntercepts,
                upperIntercepts.toArray());
        }
    }

    private static void requireOrder(String name, Object lower, double[] lows, Object upper, double[] highs) {
        boolean ordered = true;
        for (int i = 0; i < lows.length; i++) {
            ordered &= lows[i] <= highs[i];
        }
        LogisticFit.require(ordered, () -> "Lower" + name + " should always be less than or equal to upper" + name
            + ", but found: lower" + name + " = " + lower + ", upper" + name + " = " + upper + ".");
    }

    boolean isEmpty() {
        return lowerCoefficients == null && upperCoefficients == null && lowerIntercepts == null
            && upperIntercepts == null;
    }

    /** Whether no intercept is held anywhere, so that features can be centered. */
    boolean leaveInterceptsFree() {
        return (lowerIntercepts == null || all(lowerIntercepts, Double.NEGATIVE_INFINITY))
            && (upperIntercepts == null || all(upperIntercepts, Double.POSITIVE_INFINITY));
    }

    private static boolean all(Vector bounds, double value) {
        return Arrays.stream(bounds.toArray()).allMatch(bound -> bound == value);
    }

    /** Laid out as the objective's coefficients, which are of standardized features. */
    double[] lower(int length, int sets, double[] std) {
        return flat(lowerCoefficients, lowerIntercepts, Double.NEGATIVE_INFINITY, length, sets, std);
    }

    double[] upper(int length, int sets, double[] std) {
        return flat(upperCoefficients, upperIntercepts, Double.POSITIVE_INFINITY, length, sets, std);
    }

    private static double[] flat(Matrix coefficients, Vector intercepts, double free, int length, int sets, double[] std) {
        double[] bounds = new double[length];
        Arrays.fill(bounds, free);
        for (int i = 0; i < length; i++) {
            int feature = i / sets;
            if (feature < std.length && coefficients != null) {
                bounds[i] = coefficients.apply(i % sets, feature) * std[feature];
            } else if (feature == std.length && intercepts != null) {
                bounds[i] = intercepts.apply(i % sets);
            }
        }
        return bounds;
    }
}
