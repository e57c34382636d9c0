package com.inaccel.coral.demo;

import com.inaccel.coral.ml.classification.LogisticRegression;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.stat.Summarizer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/** The labels of the same rows learnt by MLlib and by Coral. */
final class Classification {
    private static final int WARM_UP_ITERATIONS = 2;
    /** Line searches and the summary of the features, beyond one job an iteration. */
    private static final int OTHER_JOBS = 3;
    private static final int MOST_CLASSES = 1_000;
    /** Fewer leave too little to be held out. */
    private static final int LEAST_ROWS = 100;

    private final org.apache.spark.ml.classification.LogisticRegression mllib =
        new org.apache.spark.ml.classification.LogisticRegression();
    private final LogisticRegression coral = new LogisticRegression();
    private final Timed<LogisticRegressionModel> ofMllib;
    private final Timed<LogisticRegressionModel> ofCoral;
    private final Vector deviations;
    private final double accuracyOfMllib;
    private final double accuracyOfCoral;

    /** @param regParam on standardized features, as is MLlib's default */
    record Settings(String featuresColumn, String labelColumn, double regParam, int maxIterations) { }

    private Classification(Dataset<Row> training, Dataset<Row> heldOut, Dataset<Row> warmUp, Settings settings) {
        for (org.apache.spark.ml.classification.LogisticRegression estimator : List.of(mllib, coral)) {
            estimator.setFeaturesCol(settings.featuresColumn()).setLabelCol(settings.labelColumn())
                .setRegParam(settings.regParam()).setMaxIter(WARM_UP_ITERATIONS).fit(warmUp);
            estimator.setMaxIter(settings.maxIterations());
        }
        int jobs = settings.maxIterations() + OTHER_JOBS;
        ofMllib = Timed.fit("MLlib LogisticRegression", mllib, training, jobs);
        ofCoral = Timed.fit("Coral LogisticRegression", coral, training, jobs);
        deviations = training.select(Summarizer.std(training.col(settings.featuresColumn()))).head().getAs(0);
        accuracyOfMllib = accuracy(ofMllib.model(), heldOut);
        accuracyOfCoral = accuracy(ofCoral.model(), heldOut);
    }

    /** Fits both on the training rows, each after an untimed fit of the rows to warm up with. */
    static Classification of(Dataset<Row> training, Dataset<Row> heldOut, Dataset<Row> warmUp, Settings settings) {
        return new Classification(training, heldOut, warmUp, settings);
    }

    /** Why these labels are none to learn from here; empty where they are. */
    static Optional<String> obstacle(Dataset<Row> labels, String column) {
        Row facts = labels.select(functions.col(column).cast("double").as(column))
            .agg(functions.count(functions.lit(1)), functions.count(column), functions.min(column), functions.max(column),
                functions.max(functions.abs(functions.col(column).minus(functions.floor(functions.col(column))))))
            .head();
        if (facts.getLong(0) < LEAST_ROWS) {
            return Optional.of("too few rows to hold some out: rows=" + facts.getLong(0) + ", least=" + LEAST_ROWS);
        }
        if (facts.getLong(1) < facts.getLong(0)) {
            return Optional.of("some rows have no label that is a number: rows="
                + (facts.getLong(0) - facts.getLong(1)));
        }
        double least = facts.getDouble(2);
        double greatest = facts.getDouble(3);
        if (least < 0 || facts.getDouble(4) != 0 || !(greatest < MOST_CLASSES) || greatest < 1) {
            return Optional.of("labels are not whole numbers from 0 to at most " + (MOST_CLASSES - 1) + ", two of them at "
                + "least: least=" + least + ", greatest=" + greatest);
        }
        return Optional.empty();
    }

    private static double accuracy(LogisticRegressionModel model, Dataset<Row> rows) {
        Row counts = model.transform(rows).agg(functions.count(functions.lit(1)), functions.sum(functions.when(
            functions.col(model.getPredictionCol()).equalTo(functions.col(model.getLabelCol())), 1L).otherwise(0L))).head();
        return (double) counts.getLong(1) / counts.getLong(0);
    }

    void addTo(Comparison table) {
        LogisticRegressionModel left = ofMllib.model();
        LogisticRegressionModel right = ofCoral.model();
        table.section("LogisticRegression").times(ofMllib, ofCoral)
            .row("iterations", Integer.toString(left.summary().totalIterations()),
                Integer.toString(right.summary().totalIterations()))
            .row("objective", Comparison.number(objective(left)), Comparison.number(objective(right)))
            .row("accuracy on the rows held out", Comparison.percent(accuracyOfMllib), Comparison.percent(accuracyOfCoral))
            .row("greatest difference of a coefficient", "",
                Comparison.difference(left.coefficientMatrix().toArray(), right.coefficientMatrix().toArray()))
            .means(coral.lastFit().orElseThrow());
    }

    private static double objective(LogisticRegressionModel model) {
        double[] history = model.summary().objectiveHistory();
        return history[history.length - 1];
    }

    /**
     * Pictures where the features make a square, numbers where they do not; of standardized features, or those that are
     * hardly ever different would outshine all others. Returns a line for the user.
     */
    String writeCoefficients(Path directory) throws IOException {
        Matrix matrix = ofCoral.model().coefficientMatrix();
        List<double[]> sets = new ArrayList<>();
        for (int row = 0; row < matrix.numRows(); row++) {
            int set = row;
            sets.add(IntStream.range(0, matrix.numCols()).mapToDouble(
                column -> matrix.apply(set, column) * deviations.apply(column)).toArray());
        }
        int side = (int) Math.round(Math.sqrt(matrix.numCols()));
        if (side * side != matrix.numCols()) {
            Path file = directory.resolve("coefficients.csv");
            Files.createDirectories(directory);
            Files.write(file, sets.stream()
                .map(set -> Arrays.stream(set).mapToObj(Double::toString).collect(Collectors.joining(","))).toList());
            return "The coefficients of standardized features, one class a line: " + file;
        }
        Path file = directory.resolve("coefficients.png");
        // Of two classes there is one set of coefficients, towards the second.
        List<String> captions = IntStream.range(0, sets.size())
            .mapToObj(set -> Integer.toString(sets.size() == 1 ? 1 : set)).toList();
        TilesImage.write(file, sets, captions, side, TilesImage.Palette.DIVERGING);
        return "The coefficients of each label on standardized features, for it in red, against it in blue: " + file;
    }
}
