package com.inaccel.coral.ml.classification;

import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Matrices;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The same data and parameters must give MLlib's model, as far as the data defines it. */
class LogisticParityTest {
    private static final double DOUBLE_TOLERANCE = 1e-6;
    private static final double SINGLE_TOLERANCE = 1e-3;
    private static final double TIME = 1.7e9;
    private static final String MISSING = "a missing class";
    /** How much worse than MLlib's an objective may be, in double. */
    private static final double OBJECTIVE_TOLERANCE = 1e-6;

    @AfterEach
    void resetPrecision() {
        spark().conf().unset("spark.coral.precision");
    }

    /** Half of all: for each family and penalty, any three of the four switches in all of their settings. */
    static Stream<Arguments> grid() {
        List<Arguments> cases = new ArrayList<>();
        boolean[] both = {false, true};
        for (String family : List.of("binomial", "multinomial")) {
            for (double elasticNet : new double[] {-1, 0, 0.4, 1}) {
                for (boolean intercept : both) {
                    for (boolean standardization : both) {
                        for (boolean weighted : both) {
                            for (boolean sparse : both) {
                                if (intercept ^ standardization ^ weighted ^ sparse) {
                                    cases.add(Arguments.of(family, elasticNet, intercept, standardization, weighted, sparse));
                                }
                            }
                        }
                    }
                }
            }
        }
        return cases.stream();
    }

    /** @param elasticNet -1: no penalty */
    @ParameterizedTest(name = "{0}, elastic net {1}, intercept {2}, standardization {3}, weighted {4}, sparse {5}")
    @MethodSource("grid")
    void shouldFindTheCoefficientsThatMllibFinds(String family, double elasticNet, boolean intercept,
            boolean standardization, boolean weighted, boolean sparse) {
        Labelled rows = Labelled.draw(240, 4, family.equals("binomial") ? 2 : 3, 11);
        Dataset<Row> data = (sparse ? rows.sparse() : rows).frame(2).cache();
        List<LogisticRegressionModel> models = new ArrayList<>();
        for (String precision : List.of("mllib", "double", "single")) {
            org.apache.spark.ml.classification.LogisticRegression estimator = precision.equals("mllib")
                ? new org.apache.spark.ml.classification.LogisticRegression() : new LogisticRegression();
            spark().conf().set("spark.coral.precision", precision.equals("mllib") ? "auto" : precision);
            estimator.setFamily(family).setRegParam(elasticNet < 0 ? 0 : 0.05)
                .setElasticNetParam(Math.max(0, elasticNet)).setFitIntercept(intercept)
                .setStandardization(standardization).setTol(1e-9).setMaxIter(60);
            models.add((weighted ? estimator.setWeightCol("weight") : estimator).fit(data));
        }
        data.unpersist();
        assertSame(models.get(1), models.get(0), rows.std(), DOUBLE_TOLERANCE);
        assertSame(models.get(2), models.get(0), rows.std(), SINGLE_TOLERANCE);
        assertThat(objective(models.get(1))).isLessThanOrEqualTo(objective(models.get(0)) + OBJECTIVE_TOLERANCE);
    }

    static List<Arguments> hard() {
        double[] scales = {1e-6, 1e-3, 1, 1e3, 1e6};
        return List.of(
            Arguments.of("a timestamp column", Labelled.draw(400, 3, 2, 3, (j, x) -> j == 0 ? TIME + 1e3 * x : x), TIME),
            Arguments.of("a timestamp column, 4 classes",
                Labelled.draw(400, 3, 4, 3, (j, x) -> j == 0 ? TIME + 1e3 * x : x), TIME),
            Arguments.of("scales from 1e-6 to 1e6", Labelled.draw(400, 5, 2, 4, (j, x) -> scales[j] * x), 0),
            Arguments.of("scales from 1e-6 to 1e6, 3 classes", Labelled.draw(400, 5, 3, 4, (j, x) -> scales[j] * x), 0),
            Arguments.of("a constant feature", Labelled.draw(200, 3, 2, 5, (j, x) -> j == 1 ? 0.1 : x), 0),
            Arguments.of("50 classes", Labelled.draw(1500, 4, 50, 6), 0),
            Arguments.of(MISSING, missing(Labelled.draw(400, 3, 5, 7), 2), 0));
    }

    private static Labelled missing(Labelled rows, int label) {
        return new Labelled(rows.features(),
            rows.labels().stream().map(value -> value == label ? value + 1 : value).toList(), rows.weights());
    }

    /**
     * @param offset of the first feature. MLlib loses digits to it, so its coefficients are those that it finds without; its
     *     objective is that of the data as they are.
     */
    @ParameterizedTest(name = "{0}")
    @MethodSource("hard")
    void shouldAgreeOnHardData(String name, Labelled rows, double offset) {
        Dataset<Row> data = rows.frame(3).cache();
        Dataset<Row> plain = rows.without(offset).frame(3).cache();
        for (double penalty : new double[] {0, 0.01}) {
            LogisticRegressionModel expected = hard(new org.apache.spark.ml.classification.LogisticRegression(), penalty)
                .fit(plain);
            double theirs = objective(hard(new org.apache.spark.ml.classification.LogisticRegression(), penalty).fit(data));
            for (String precision : List.of("double", "single")) {
                spark().conf().set("spark.coral.precision", precision);
                LogisticRegressionModel actual = hard(new LogisticRegression(), penalty).fit(data);
                boolean inDouble = precision.equals("double");
                assertThat(objective(actual)).as(precision)
                    .isLessThanOrEqualTo(theirs + (inDouble ? OBJECTIVE_TOLERANCE : SINGLE_TOLERANCE));
                if (penalty > 0 && !name.equals(MISSING)) { // its intercept falls without end
                    assertSame(without(offset, actual), expected, rows.std(),
                        inDouble ? DOUBLE_TOLERANCE : SINGLE_TOLERANCE);
                }
            }
        }
        data.unpersist();
        plain.unpersist();
    }

    private static org.apache.spark.ml.classification.LogisticRegression hard(
            org.apache.spark.ml.classification.LogisticRegression estimator, double penalty) {
        return estimator.setRegParam(penalty).setTol(1e-10).setMaxIter(200);
    }

    /** The same model of the first feature less an offset. */
    private static LogisticRegressionModel without(double offset, LogisticRegressionModel model) {
        double[] intercepts = model.interceptVector().toArray().clone();
        for (int c = 0; c < intercepts.length; c++) {
            intercepts[c] += offset * model.coefficientMatrix().apply(c, 0);
        }
        return new LogisticRegressionModel(model.uid(), model.coefficientMatrix(), Vectors.dense(intercepts),
            model.numClasses(), model.numClasses() > 2);
    }

    /** No coefficients are too large for classes that a plane separates: only the objective can be compared. */
    @Test
    void shouldBringTheObjectiveAsFarDownForNearlySeparableClasses() {
        Random random = new Random(8);
        List<Vector> features = new ArrayList<>();
        List<Double> labels = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            double x = random.nextGaussian();
            features.add(Vectors.dense(x, random.nextGaussian()));
            labels.add(i == 0 ? (x > 0 ? 0.0 : 1.0) : x > 0 ? 1.0 : 0.0);
        }
        Dataset<Row> data = new Labelled(features, labels, labels).frame(2);
        for (double penalty : new double[] {0, 1e-6}) {
            LogisticRegressionModel expected = new org.apache.spark.ml.classification.LogisticRegression()
                .setRegParam(penalty).setTol(1e-9).fit(data);
            LogisticRegressionModel actual = new LogisticRegression().setRegParam(penalty).setTol(1e-9).fit(data);
            assertThat(objective(actual)).isLessThanOrEqualTo(objective(expected) + OBJECTIVE_TOLERANCE);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void shouldFitAThousandOfAHundredThousandSparseFeatures(int classes) {
        Random random = new Random(9);
        int[] used = random.ints(0, 100_000).distinct().limit(1000).sorted().toArray();
        List<Vector> features = new ArrayList<>();
        List<Double> labels = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            int[] at = random.ints(0, used.length).distinct().limit(20).sorted().map(j -> used[j]).toArray();
            double[] values = Arrays.stream(at).mapToDouble(j -> random.nextGaussian()).toArray();
            features.add(Vectors.sparse(100_000, at, values));
            labels.add((double) random.nextInt(classes));
        }
        Labelled rows = new Labelled(features, labels, labels);
        Dataset<Row> data = rows.frame(2);
        LogisticRegressionModel expected = new org.apache.spark.ml.classification.LogisticRegression()
            .setRegParam(0.01).setTol(1e-10).fit(data);
        LogisticRegressionModel actual = new LogisticRegression().setRegParam(0.01).setTol(1e-10).fit(data);
        assertSame(actual, expected, rows.std(), DOUBLE_TOLERANCE);
        assertThat(objective(actual)).isLessThanOrEqualTo(objective(expected) + OBJECTIVE_TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"binomial", "multinomial"})
    void shouldFitASingleRowAndMorePartitionsThanRows(String family) {
        Labelled one = new Labelled(List.of(Vectors.dense(1, 2)), List.of(1.0), List.of(1.0));
        for (boolean intercept : new boolean[] {false, true}) {
            LogisticRegressionModel expected = new org.apache.spark.ml.classification.LogisticRegression()
                .setFamily(family).setFitIntercept(intercept).fit(one.frame(1));
            LogisticRegressionModel actual =
                new LogisticRegression().setFamily(family).setFitIntercept(intercept).fit(one.frame(1));
            assertSame(actual, expected, new double[] {1, 1}, DOUBLE_TOLERANCE);
        }
        Labelled few = Labelled.draw(12, 2, 2, 4);
        assertSame(new LogisticRegression().setFamily(family).setRegParam(0.1).fit(few.frame(20)),
            new org.apache.spark.ml.classification.LogisticRegression().setFamily(family).setRegParam(0.1)
                .fit(few.frame(20)), few.std(), DOUBLE_TOLERANCE);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void shouldStayWithinBoundsAsMllibDoes(int classes) {
        Labelled rows = Labelled.draw(300, 3, classes, 13);
        Dataset<Row> data = rows.frame(2);
        int sets = classes == 2 ? 1 : classes;
        double[] lows = IntStream.range(0, sets * 3).mapToDouble(i -> i % 2 == 0 ? -0.05 : 0.01).toArray();
        double[] highs = Arrays.stream(lows).map(low -> low + 0.1).toArray();
        LogisticRegression ours = new LogisticRegression();
        org.apache.spark.ml.classification.LogisticRegression theirs =
            new org.apache.spark.ml.classification.LogisticRegression();
        for (org.apache.spark.ml.classification.LogisticRegression estimator : List.of(ours, theirs)) {
            estimator.setLowerBoundsOnCoefficients(Matrices.dense(sets, 3, lows))
                .setUpperBoundsOnCoefficients(Matrices.dense(sets, 3, highs))
                .setLowerBoundsOnIntercepts(Vectors.dense(new double[sets])).setTol(1e-10).setRegParam(0.01);
        }
        assertSame(ours.fit(data), theirs.fit(data), rows.std(), DOUBLE_TOLERANCE);
    }

    private static double objective(LogisticRegressionModel model) {
        double[] history = model.summary().objectiveHistory();
        return history[history.length - 1];
    }

    /**
     * Relative to the greatest coefficient of the same feature, but no finer than of one that matters: a hundredth, for a
     * feature of standard deviation 1.
     */
    private static void assertSame(LogisticRegressionModel actual, LogisticRegressionModel expected, double[] std,
            double tolerance) {
        assertThat(actual.numClasses()).isEqualTo(expected.numClasses());
        assertClose(actual.interceptVector().toArray(), expected.interceptVector().toArray(), 1, tolerance, "intercepts");
        for (int j = 0; j < expected.coefficientMatrix().numCols(); j++) {
            assertClose(column(actual.coefficientMatrix(), j), column(expected.coefficientMatrix(), j), std[j], tolerance,
                "coefficients of feature " + j);
        }
    }

    private static double[] column(Matrix matrix, int j) {
        return IntStream.range(0, matrix.numRows()).mapToDouble(row -> matrix.apply(row, j)).toArray();
    }

    private static void assertClose(double[] actual, double[] expected, double std, double tolerance, String what) {
        double greatest = Arrays.stream(expected).map(Math::abs).filter(Double::isFinite).max().orElse(0);
        double scale = std > 0 ? Math.max(0.01 / std, greatest) : 0;
        assertThat(actual).as(what).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            if (Double.isInfinite(expected[i])) {
                assertThat(actual[i]).as(what).isEqualTo(expected[i]);
            } else {
                assertThat(actual[i]).as(what).isCloseTo(expected[i], within(tolerance * scale));
            }
        }
    }
}
