package com.inaccel.coral.examples;

import com.inaccel.coral.examples.Example.Fitted;
import com.inaccel.coral.ml.clustering.KMeans;
import java.util.Arrays;
import java.util.Random;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;

/** Clusters generated points with Coral and with MLlib; exit code 1 where the centers differ. */
public final class KMeansExample {
    private static final long SEED = 7;
    /** Of the clusters' middles, whose points scatter by 1. */
    private static final double SPREAD = 10;

    private KMeansExample() { }

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
        KMeans coral = new KMeans();
        org.apache.spark.ml.clustering.KMeans mllib = new org.apache.spark.ml.clustering.KMeans();
        for (org.apache.spark.ml.clustering.KMeans one : new org.apache.spark.ml.clustering.KMeans[] {coral, mllib}) {
            one.setK(options.k()).setMaxIter(options.iterations()).setSeed(SEED).setTol(0);
        }
        return new Example("kmeans", options).run(number -> row(number, k, features),
            data -> new Fitted(numbers(coral.fit(data)), coral.lastFit().orElseThrow()),
            data -> new Fitted(numbers(mllib.fit(data)), null));
    }

    private static Row row(long number, int k, int features) {
        int cluster = (int) (number % k);
        Random middle = new Random(SEED + cluster);
        Random point = new Random(SEED * 1_000_003 + number);
        double[] values = new double[features];
        for (int i = 0; i < features; i++) {
            values[i] = SPREAD * middle.nextGaussian() + point.nextGaussian();
        }
        return RowFactory.create((double) cluster, Vectors.dense(values));
    }

    private static double[] numbers(KMeansModel model) {
        return Arrays.stream(model.clusterCenters()).flatMapToDouble(center -> Arrays.stream(center.toArray())).toArray();
    }
}
