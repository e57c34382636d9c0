package com.inaccel.coral.ml;

import java.util.List;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.VectorUDT;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** One local Spark for all tests of this JVM, and small data. */
public final class SparkTest {
    private static final SparkSession SPARK = SparkSession.builder()
        .master("local[2]")
        .appName("spark-coral tests")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.coral.address", "embedded:")
        .getOrCreate();

    private SparkTest() { }

    public static SparkSession spark() {
        return SPARK;
    }

    public static Dataset<Row> vectors(List<Vector> rows, int partitions) {
        return frame(rows.stream().map(RowFactory::create).toList(),
            new StructType().add("features", new VectorUDT()), partitions);
    }

    public static Dataset<Row> weighted(List<Vector> rows, List<Double> weights, int partitions) {
        List<Row> both = java.util.stream.IntStream.range(0, rows.size())
            .mapToObj(i -> RowFactory.create(rows.get(i), weights.get(i))).toList();
        return frame(both, new StructType().add("features", new VectorUDT()).add("weight", DataTypes.DoubleType),
            partitions);
    }

    public static Dataset<Row> frame(List<Row> rows, StructType schema, int partitions) {
        org.apache.spark.api.java.JavaSparkContext context =
            new org.apache.spark.api.java.JavaSparkContext(SPARK.sparkContext());
        return SPARK.createDataFrame(context.parallelize(rows, partitions), schema);
    }

    /** Gaussian clusters of unequal spread around integer points; every fifth row repeats an earlier one. */
    public static List<Vector> blobs(int rows, int features, int clusters, long seed) {
        java.util.Random random = new java.util.Random(seed);
        double[][] centers = new double[clusters][features];
        for (double[] center : centers) {
            for (int i = 0; i < features; i++) {
                center[i] = random.nextInt(20) - 10;
            }
        }
        java.util.List<Vector> vectors = new java.util.ArrayList<>(rows);
        for (int row = 0; row < rows; row++) {
            if (row % 5 == 4) {
                vectors.add(vectors.get(random.nextInt(row)));
                continue;
            }
            int cluster = random.nextInt(clusters);
            double[] values = new double[features];
            for (int i = 0; i < features; i++) {
                values[i] = centers[cluster][i] + random.nextGaussian() * (1 + cluster % 3);
            }
            vectors.add(Vectors.dense(values));
        }
        return vectors;
    }
}
