package com.inaccel.coral.demo;

import com.inaccel.coral.ml.clustering.KMeans;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The same rows clustered by MLlib and by Coral. */
final class Clustering {
    private static final int WARM_UP_ITERATIONS = 2;
    /** Of k-means|| before its first iteration. */
    private static final int JOBS_BEFORE_ITERATIONS = 11;

    private final org.apache.spark.ml.clustering.KMeans mllib = new org.apache.spark.ml.clustering.KMeans();
    private final KMeans coral = new KMeans();
    private final Timed<KMeansModel> ofMllib;
    private final Timed<KMeansModel> ofCoral;

    private Clustering(Dataset<Row> rows, Dataset<Row> warmUp, String featuresColumn, int k, int maxIterations,
            long seed) {
        for (org.apache.spark.ml.clustering.KMeans estimator : List.of(mllib, coral)) {
            estimator.setK(k).setSeed(seed).setFeaturesCol(featuresColumn).setMaxIter(WARM_UP_ITERATIONS).fit(warmUp);
            estimator.setMaxIter(maxIterations);
        }
        int jobs = maxIterations + JOBS_BEFORE_ITERATIONS;
        ofMllib = Timed.fit("MLlib KMeans", mllib, rows, jobs);
        ofCoral = Timed.fit("Coral KMeans", coral, rows, jobs);
    }

    /** Fits both, each after an untimed fit of the rows to warm up with. */
    static Clustering of(Dataset<Row> rows, Dataset<Row> warmUp, String featuresColumn, int k, int maxIterations,
            long seed) {
        return new Clustering(rows, warmUp, featuresColumn, k, maxIterations, seed);
    }

    void addTo(Comparison table) {
        KMeansModel left = ofMllib.model();
        KMeansModel right = ofCoral.model();
        table.section("KMeans").times(ofMllib, ofCoral)
            .row("iterations", Integer.toString(left.summary().numIter()), Integer.toString(right.summary().numIter()))
            .row("cost", Comparison.number(left.summary().trainingCost()),
                Comparison.number(right.summary().trainingCost()))
            .row("greatest difference of a center", "", Comparison.difference(flat(left), flat(right)))
            .means(coral.lastFit().orElseThrow());
    }

    private static double[] flat(KMeansModel model) {
        return Arrays.stream(model.clusterCenters()).flatMapToDouble(center -> Arrays.stream(center.toArray())).toArray();
    }

    /** Pictures where the features make a square, numbers where they do not. Returns a line for the user. */
    String writeCenters(Path directory) throws IOException {
        List<double[]> centers = Arrays.stream(ofCoral.model().clusterCenters()).map(Vector::toArray).toList();
        long[] sizes = ofCoral.model().summary().clusterSizes();
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
        TilesImage.write(file, centers, captions, side, TilesImage.Palette.LIGHT);
        return "The centers, each with its number and how many rows are nearest to it: " + file;
    }
}
