package com.inaccel.coral.packaging;

import com.inaccel.coral.ml.clustering.KMeans;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.SparkEnv;
import org.apache.spark.ml.clustering.KMeansModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/** A user's program, submitted by {@link PackagingIT} without anything of this module but its jar. */
public final class FitProgram {
    private FitProgram() { }

    /** Fits two far-apart clouds of 100 points and prints the centers, which are exact, and where the estimator came from. */
    public static void main(String[] args) {
        try (SparkSession spark = SparkSession.builder().appName("packaging").getOrCreate()) {
            List<Row> rows = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                double spread = i % 2 == 0 ? 0.5 : -0.5;
                rows.add(RowFactory.create(Vectors.dense(spread, 1)));
                rows.add(RowFactory.create(Vectors.dense(100 + spread, 9)));
            }
            StructType schema = new StructType(new StructField[] {
                new StructField("features", new VectorUDT(), false, Metadata.empty())});
            Dataset<Row> points = spark.createDataFrame(rows, schema).repartition(4).cache();

            KMeansModel model = new KMeans().setK(2).setSeed(1).fit(points);

            String[] centers =
                Arrays.stream(model.clusterCenters()).map(Vector::toString).sorted().toArray(String[]::new);
            System.out.println("centers: " + String.join(" ", centers));
            System.out.println("predicted: " + model.transform(points).select("prediction").distinct().count());
            System.out.println("partitions shipped: " + partitionsShipped());
            System.out.println("estimator from: " + KMeans.class.getProtectionDomain().getCodeSource().getLocation());
        }
    }

    /** As Spark's metrics system has it from the plugin. */
    private static long partitionsShipped() {
        return JavaConverters.seqAsJavaList(
                SparkEnv.get().metricsSystem().getSourcesByName("plugin.com.inaccel.coral.ml.CoralPlugin")).stream()
            .flatMap(source -> source.metricRegistry().getCounters().entrySet().stream())
            .filter(counter -> counter.getKey().equals("partitionsShipped"))
            .mapToLong(counter -> counter.getValue().getCount()).sum();
    }
}
