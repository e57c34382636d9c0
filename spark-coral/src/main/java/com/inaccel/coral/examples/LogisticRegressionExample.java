package com.inaccel.coral.examples;

import com.inaccel.coral.examples.Example.Fitted;
import com.inaccel.coral.ml.classification.LogisticRegression;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.DoubleStream;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** Learns generated labels with Coral and with MLlib; exit code 1 where the coefficients differ. */
public final class LogisticRegressionExample {
    private static final long SEED = 11;
    private static final double REGULARIZATION = 0.01;

    private LogisticRegressionExample() { }

    /** @param arguments {@code --rows=N} and so on: a wrong one tells them all */
    public static void main(String[] arguments) {
        if (!run(arguments)) {
            System.exit(1);
        }
    }

    static boolean run(String[] arguments) {
        ExampleOptions options = ExampleOptions.parse(arguments);
        int k = options.k();
        int features = options.features();
        LogisticRegression coral = new LogisticRegression();
        org.apache.spark.ml.classification.LogisticRegression mllib =
            new org.apache.spark.ml.classification.LogisticRegression();
        for (org.apache.spark.ml.classification.LogisticRegression one
                : new org.apache.spark.ml.classification.LogisticRegression[] {coral, mllib}) {
            one.setMaxIter(options.iterations()).setRegParam(REGULARIZATION).setTol(0);
        }
        return new Example("logistic-regression", options).run(number -> row(number, k, features),
            data -> new Fitted(numbers(coral.fit(data)), coral.lastFit().orElseThrow()),
            data -> new Fitted(numbers(mllib.fit(data)), null));
    }

    /** The label is that of the greatest of k linear functions, which noise has been added to. */
    private static Row row(long number, int k, int features) {
        Random random = new Random(SEED * 1_000_003 + number);
        double[] values = random.doubles(features, -1, 1).toArray();
        int label = 0;
        double greatest = Double.NEGATIVE_INFINITY;
        for (int one = 0; one < k; one++) {
            double margin = random.nextGaussian();
            Random coefficients = new Random(SEED + one);
            for (double value : values) {
                margin += value * coefficients.nextGaussian();
            }
            if (margin > greatest) {
                greatest = margin;
                label = one;
            }
        }
        return RowFactory.create((double) label, Vectors.dense(values));
    }

    private static double[] numbers(LogisticRegressionModel model) {
        return DoubleStream.concat(Arrays.stream(model.coefficientMatrix().toArray()),
            Arrays.stream(model.interceptVector().toArray())).toArray();
    }
}
