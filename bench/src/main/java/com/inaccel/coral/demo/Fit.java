package com.inaccel.coral.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.ml.clustering.KMeans;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** One timed fit and its model. */
record Fit(String name, double seconds, KMeansModel model) {
    static Fit time(String name, KMeans estimator, Dataset<Row> table) {
        try (Progress progress = Progress.of(table.sparkSession().sparkContext(), name, estimator.getMaxIter())) {
            long start = System.nanoTime();
            KMeansModel model = estimator.fit(table);
            return new Fit(name, (System.nanoTime() - start) / 1e9, model);
        }
    }

    int iterations() {
        return model.summary().numIter();
    }

    double cost() {
        return model.summary().trainingCost();
    }

    List<double[]> centers() {
        return Arrays.stream(model.clusterCenters()).map(Vector::toArray).toList();
    }

    /** Pictures where the features make a square, numbers where they do not. Returns a line for the user. */
    String writeCenters(Path directory) throws IOException {
        List<double[]> centers = centers();
        long[] sizes = model.summary().clusterSizes();
        int side = (int) Math.round(Math.sqrt(centers.get(0).length));
        if (side * side != centers.get(0).length) {
            Path file = directory.resolve("centers.csv");
            Files.createDirectories(directory);
            Files.write(file, centers.stream()
                .map(center -> Arrays.stream(center).mapToObj(Double::toString).collect(Collectors.joining(",")))
                .toList());
            return "The centers, one a line: " + file;
        }
        Path file = directory.resolve("centers.png");
        List<String> captions = new ArrayList<>();
        IntStream.range(0, centers.size())
            .forEach(index -> captions.add(String.format("%d: %,d", index, sizes[index])));
        CentersImage.write(file, centers, captions, side);
        return "The centers, each with its number and how many rows are nearest to it: " + file;
    }
}
