package com.inaccel.coral.ml.classification;

import com.inaccel.coral.ml.SparkTest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleBiFunction;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Rows whose labels were drawn from a logistic model, so that none fits them all and the optimum is well defined. */
record Labelled(List<Vector> features, List<Double> labels, List<Double> weights) {

    /** @param feature what feature number j is of a standard normal number */
    static Labelled draw(int rows, int d, int classes, long seed, ToDoubleBiFunction<Integer, Double> feature) {
        Random random = new Random(seed);
        double[][] model = new double[classes][d];
        for (double[] row : model) {
            for (int j = 0; j < d; j++) {
                row[j] = random.nextGaussian() / Math.sqrt(d);
            }
        }
        Labelled drawn = new Labelled(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < rows; i++) {
            double[] normal = random.doubles(d).map(ignored -> random.nextGaussian()).toArray();
            double[] values = new double[d];
            for (int j = 0; j < d; j++) {
                values[j] = feature.applyAsDouble(j, normal[j]);
            }
            drawn.features.add(Vectors.dense(values));
            drawn.labels.add((double) label(model, normal, random));
            drawn.weights.add((i % 7) / 2.0);
        }
        return drawn;
    }

    static Labelled draw(int rows, int d, int classes, long seed) {
        return draw(rows, d, classes, seed, (j, normal) -> normal * (1 + j) + j);
    }

    /** The class of the greatest margin, each with noise of Gumbel's distribution: that is drawing from the softmax. */
    private static int label(double[][] model, double[] row, Random random) {
        int label = 0;
        double best = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < model.length; c++) {
            double margin = -Math.log(-Math.log(random.nextDouble()));
            for (int j = 0; j < row.length; j++) {
                margin += model[c][j] * row[j];
            }
            if (margin > best) {
                best = margin;
                label = c;
            }
        }
        return label;
    }

    /** Most values made zero, and stored as sparse vectors. */
    Labelled sparse() {
        Random random = new Random(5);
        return new Labelled(features.stream().map(row -> {
            double[] values = row.toArray().clone();
            for (int j = 0; j < values.length; j++) {
                values[j] = random.nextInt(3) == 0 ? values[j] : 0;
            }
            return (Vector) Vectors.dense(values).toSparse();
        }).toList(), labels, weights);
    }

    /** The same rows with the first feature less an offset. */
    Labelled without(double offset) {
        return new Labelled(features.stream().map(row -> {
            double[] values = row.toArray().clone();
            values[0] -= offset;
            return Vectors.dense(values);
        }).toList(), labels, weights);
    }

    Dataset<Row> frame(int partitions) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < features.size(); i++) {
            rows.add(RowFactory.create(labels.get(i), weights.get(i), features.get(i)));
        }
        return SparkTest.frame(rows, new StructType().add("label", DataTypes.DoubleType)
            .add("weight", DataTypes.DoubleType).add("features", new VectorUDT()), partitions);
    }

    /** Of each feature, weights aside. */
    double[] std() {
        int d = features.get(0).size();
        double[] std = new double[d];
        double[] mean = new double[d];
        for (Vector row : features) {
            double[] values = row.toArray();
            for (int j = 0; j < d; j++) {
                mean[j] += values[j] / features.size();
            }
        }
        for (Vector row : features) {
            double[] values = row.toArray();
            for (int j = 0; j < d; j++) {
                std[j] += (values[j] - mean[j]) * (values[j] - mean[j]) / features.size();
            }
        }
        return Arrays.stream(std).map(Math::sqrt).toArray();
    }
}
