package com.inaccel.coral.ml.classification;

import breeze.linalg.DenseVector;
import breeze.linalg.DenseVector$;
import breeze.optimize.DiffFunction;
import breeze.optimize.FirstOrderMinimizer;
import breeze.optimize.LBFGS;
import breeze.optimize.LBFGSB;
import breeze.optimize.OWLQN;
import com.inaccel.coral.ml.classification.GradientPass.Point;
import com.inaccel.coral.ml.shipping.FeatureSummary;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.DenseMatrix;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.SparseMatrix;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.util.Instrumentation;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction1;

/**
 * A fit as {@link org.apache.spark.ml.classification.LogisticRegression} does it, with the same optimizers: L-BFGS, L-BFGS-B
 * where there are bounds, OWL-QN where there is an L1 penalty. They run on the driver; only losses and gradients need the
 * data.
 */
final class LogisticFit {
    /** Updates that the optimizers approximate the curvature by. */
    private static final int MEMORY = 10;

    private final LogisticRegression estimator;
    private final Instrumentation instrumentation;
    private final FeatureSummary summary;
    private final double[] std;
    private final int features;
    private final int classes;
    private final boolean multinomial;
    /** Rows of the coefficient matrix. */
    private final int sets;
    private final boolean intercept;
    private final Bounds bounds;

    /** @param objectiveHistory the objective before the first and after each iteration */
    record Result(int classes, boolean multinomial, Matrix coefficients, Vector intercepts, double[] objectiveHistory) { }

    /** @param declaredClasses number of classes that the label column's metadata names, or -1 */
    LogisticFit(LogisticRegression estimator, FeatureSummary summary, int declaredClasses,
            Instrumentation instrumentation) {
        this.estimator = estimator;
        this.instrumentation = instrumentation;
        this.summary = summary;
        require(summary.weightSum() > 0, () -> "Nothing has been added to this summarizer.");
        double[] histogram = summary.labelWeights();
        this.std = summary.standardDeviations();
        this.features = std.length;
        this.classes = declaredClasses < 0 ? histogram.length : declaredClasses;
        require(classes >= histogram.length, () -> "Specified number of classes " + classes
            + " was less than the number of unique labels " + histogram.length + ".");
        this.multinomial = isMultinomial();
        this.sets = multinomial ? classes : 1;
        this.intercept = estimator.getFitIntercept();
        this.bounds = Bounds.of(estimator, sets, features);
        if (estimator.isDefined(estimator.thresholds())) {
            int thresholds = estimator.getThresholds().length;
            require(thresholds == classes, () -> estimator.getClass().getSimpleName()
                + ".train() called with non-matching numClasses and thresholds.length. numClasses=" + classes
                + ", but thresholds has length " + thresholds);
        }
    }

    static void require(boolean holds, Supplier<String> message) {
        if (!holds) {
            throw new IllegalArgumentException("requirement failed: " + message.get());
        }
    }

    private boolean isMultinomial() {
        return switch (estimator.getFamily().toLowerCase(Locale.ROOT)) {
            case "binomial" -> {
                require(classes == 1 || classes == 2,
                    () -> "Binomial family only supports 1 or 2 outcome classes but found " + classes + ".");
                yield false;
            }
            case "multinomial" -> true;
            case "auto" -> classes > 2;
            default -> throw new IllegalArgumentException("Unsupported family: " + estimator.getFamily());
        };
    }

    /** @param passes sums loss and gradient over the data */
    Result run(Function<Point, double[]> passes) {
        log();
        double[] histogram = summary.labelWeights();
        boolean constantLabel = Arrays.stream(histogram).filter(weight -> weight != 0).count() == 1;
        if (constantLabel && intercept && bounds.isEmpty()) {
            instrumentation.logWarning(() -> "All labels are the same value and fitIntercept=true, so the coefficients "
                + "will be zeros. Training is not needed.");
            return constant(histogram);
        }
        warn(constantLabel);
        boolean centered = intercept && bounds.leaveInterceptsFree();
        double l2 = (1.0 - estimator.getElasticNetParam()) * estimator.getRegParam();
        LogisticObjective objective =
            new LogisticObjective(sets, intercept, centered, summary, penalties(l2, 2), multinomial && classes == 1
                // The only class is certain: there is nothing to lose or to gain. Accelerators would take it for binomial.
                ? point -> new double[point.resultLength()] : passes);
        double[] solution = minimize(objective, initial(histogram));
        objective.moveIntercepts(solution, -1);
        double[] intercepts = intercept ? Arrays.copyOfRange(solution, features * sets, solution.length) : new double[sets];
        if (intercept && multinomial && bounds.isEmpty()) {
            center(intercepts);
        }
        Vector interceptVector = intercept || !multinomial
            ? Vectors.dense(intercepts) : Vectors.sparse(sets, new int[0], new double[0]);
        return new Result(classes, multinomial, coefficients(solution).compressed(), interceptVector.compressed(),
            objective.history());
    }

    private void log() {
        double[] histogram = summary.labelWeights();
        instrumentation.logNumClasses(classes);
        instrumentation.logNumFeatures(features);
        instrumentation.logNumExamples(summary.rows());
        instrumentation.logNamedValue("lowestLabelWeight", Double.toString(Arrays.stream(histogram).min().orElse(0)));
        instrumentation.logNamedValue("highestLabelWeight", Double.toString(Arrays.stream(histogram).max().orElse(0)));
        instrumentation.logSumOfWeights(summary.weightSum());
    }

    private void warn(boolean constantLabel) {
        if (!intercept && constantLabel) {
            instrumentation.logWarning(() -> "All labels belong to a single class and fitIntercept=false. It's a dangerous "
                + "ground, so the algorithm may not converge.");
        }
        double[] mean = summary.means();
        for (int j = 0; !intercept && j < features; j++) {
            if (std[j] == 0 && mean[j] != 0) {
                instrumentation.logWarning(() -> "Fitting LogisticRegressionModel without intercept on dataset with constant"
                    + " nonzero column, Coral as Spark MLlib outputs zero coefficients for constant nonzero columns. This "
                    + "behavior is the same as R glmnet but different from LIBSVM.");
                return;
            }
        }
    }

    /** The model for labels that are all the same. */
    private Result constant(double[] histogram) {
        int label = 0;
        while (histogram[label] == 0) {
            label++;
        }
        Matrix zeros = new SparseMatrix(sets, features, new int[sets + 1], new int[0], new double[0], true).compressed();
        Vector intercepts = multinomial
            ? Vectors.sparse(classes, new int[] {label}, new double[] {Double.POSITIVE_INFINITY})
            : Vectors.dense(new double[] {classes == 2 ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY});
        return new Result(classes, multinomial, zeros, intercepts, new double[] {0.0});
    }

    /**
     * The penalties of each feature's standardized coefficients that make {@code penalty} of all: without standardization it
     * is meant for the coefficients of the features as they are, and coefficients to the {@code power} differ by as much.
     */
    private double[] penalties(double penalty, int power) {
        double[] penalties = new double[features];
        boolean standardization = estimator.getStandardization();
        for (int j = 0; j < features; j++) {
            penalties[j] = standardization ? penalty : std[j] != 0 ? penalty / Math.pow(std[j], power) : 0;
        }
        return penalties;
    }

    private int length() {
        return (features + (intercept ? 1 : 0)) * sets;
    }

    private FirstOrderMinimizer<DenseVector<Object>, DiffFunction<DenseVector<Object>>> optimizer() {
        int iterations = estimator.getMaxIter();
        double tolerance = estimator.getTol();
        double l1 = estimator.getElasticNetParam() * estimator.getRegParam();
        if (l1 != 0) {
            double[] penalties = penalties(l1, 1);
            return new OWLQN<>(iterations, MEMORY, new AbstractFunction1<Object, Object>() {
                @Override
                public Object apply(Object index) {
                    int feature = (Integer) index / sets;
                    return feature < features ? penalties[feature] : 0.0; // none for intercepts
                }
            }, tolerance, DenseVector$.MODULE$.space_Double());
        }
        if (!bounds.isEmpty()) {
            return new LBFGSB(LogisticObjective.vector(bounds.lower(length(), sets, std)),
                LogisticObjective.vector(bounds.upper(length(), sets, std)), iterations, MEMORY, tolerance,
                LBFGSB.$lessinit$greater$default$6(), LBFGSB.$lessinit$greater$default$7());
        }
        return new LBFGS<>(iterations, MEMORY, tolerance, DenseVector$.MODULE$.space_Double());
    }

    private double[] minimize(LogisticObjective objective, double[] initial) {
        objective.moveIntercepts(initial, 1);
        FirstOrderMinimizer<DenseVector<Object>, DiffFunction<DenseVector<Object>>> optimizer = optimizer();
        Iterator<FirstOrderMinimizer.State<DenseVector<Object>, Object, Object>> states =
            optimizer.iterations(objective.function(), LogisticObjective.vector(initial));
        double[] solution = null;
        while (states.hasNext()) {
            FirstOrderMinimizer.State<DenseVector<Object>, Object, Object> state = states.next();
            if (!Double.isFinite(state.adjustedValue())) {
                throw objective.notFinite("objective", state.adjustedValue());
            }
            objective.reached(state.adjustedValue());
            solution = LogisticObjective.array(state.x());
        }
        if (solution == null) {
            String message = optimizer.getClass().getName() + " failed.";
            instrumentation.logError(() -> message);
            throw new IllegalStateException(message);
        }
        return solution;
    }

    /** Coefficients of standardized features to start from, in the optimizer's layout; the intercepts follow the labels. */
    private double[] initial(double[] histogram) {
        double[] initial = new double[length()];
        LogisticRegressionModel model = estimator.initialModel();
        if (model != null && fits(model)) {
            Matrix given = model.coefficientMatrix();
            for (int i = 0; i < features * sets; i++) {
                initial[i] = given.apply(i % sets, i / sets) * std[i / sets];
            }
            for (int set = 0; intercept && set < sets; set++) {
                initial[features * sets + set] = model.interceptVector().apply(set);
            }
        } else if (intercept) {
            startIntercepts(histogram, initial);
        }
        if (!bounds.isEmpty()) {
            double[] lower = bounds.lower(initial.length, sets, std);
            double[] upper = bounds.upper(initial.length, sets, std);
            for (int i = 0; i < initial.length; i++) {
                initial[i] = initial[i] < lower[i] ? lower[i] : initial[i] > upper[i] ? upper[i] : initial[i];
            }
        }
        return initial;
    }

    private boolean fits(LogisticRegressionModel model) {
        Matrix given = model.coefficientMatrix();
        boolean fits = given.numRows() == sets && given.numCols() == features && model.interceptVector().size() == sets
            && model.getFitIntercept() == intercept;
        if (!fits) {
            instrumentation.logWarning(() -> "Initial coefficients will be ignored! Its dimensions (" + given.numRows() + ", "
                + given.numCols() + ") did not match the expected size (" + sets + ", " + features + ")");
        }
        return fits;
    }

    private void startIntercepts(double[] histogram, double[] initial) {
        if (!multinomial) {
            initial[features] = Math.log((histogram.length > 1 ? histogram[1] : 0) / histogram[0]);
            return;
        }
        double[] intercepts = new double[sets];
        double sum = 0;
        for (int c = 0; c < histogram.length; c++) {
            intercepts[c] = Math.log1p(histogram[c]);
            sum += intercepts[c];
        }
        for (int c = 0; c < histogram.length; c++) {
            initial[features * sets + c] = intercepts[c] - sum / histogram.length;
        }
    }

    /** Of the features as they are. */
    private DenseMatrix coefficients(double[] solution) {
        double[] values = new double[sets * features];
        for (int j = 0; j < features; j++) {
            double center = 0;
            for (int set = 0; set < sets; set++) {
                double value = std[j] != 0 ? solution[j * sets + set] / std[j] : 0;
                values[set * features + j] = value;
                center += value;
            }
            if (multinomial && estimator.getRegParam() == 0 && bounds.isEmpty()) {
                // Without a penalty any constant may be added to a feature's coefficients: choose the centered ones.
                for (int set = 0; set < sets; set++) {
                    values[set * features + j] -= center / sets;
                }
            }
        }
        return new DenseMatrix(sets, features, values, true);
    }

    private static void center(double[] intercepts) {
        double mean = Arrays.stream(intercepts).sum() / intercepts.length;
        for (int i = 0; i < intercepts.length; i++) {
            intercepts[i] -= mean;
        }
    }
}
