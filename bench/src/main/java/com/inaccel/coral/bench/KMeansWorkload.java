package com.inaccel.coral.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.LongFunction;
import java.util.stream.LongStream;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;

/**
 * What is clustered, and how.
 *
 * <p>Rows are drawn around {@code k} points that lie so close together that their clouds overlap: with clouds apart, Lloyd's
 * algorithm converges after a few iterations, and a race over few iterations would say little.
 *
 * @param iterations at most; the tolerance is 0
 * @param init how Spark's contestants start: {@code k-means||} or {@code random}
 */
record KMeansWorkload(long rows, int features, int k, int iterations, long seed, String init) implements Workload {
    private static final long serialVersionUID = 1L;

    /** In standard deviations of a cloud: their nearest neighbours then lie about two of them apart. */
    private static final double SPREAD = 0.3;

    @Override
    public KMeansWorkload withRows(long count) {
        return new KMeansWorkload(count, features, k, iterations, seed, init);
    }

    @Override
    public StructType schema() {
        return new StructType().add(FEATURES, SQLDataTypes.VectorType(), false);
    }

    @Override
    public LongFunction<Row> rowMaker() {
        Generator generator = generator();
        return index -> {
            double[] row = new double[features];
            generator.fill(index, row);
            return RowFactory.create(Vectors.dense(row));
        };
    }

    /** Floating-point operations of one fit: a multiplication and an addition for each row, center and feature. */
    double flops(int iterationsRun) {
        return 2.0 * rows * k * features * iterationsRun;
    }

    Generator generator() {
        return new Generator(this);
    }

    /** Writes all rows as little-endian doubles, row by row, for peers outside the JVM. */
    void write(Path file) throws IOException {
        Generator generator = generator();
        double[] row = new double[features];
        ByteBuffer bytes = ByteBuffer.allocate(features * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        try (OutputStream output = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
            for (long index = 0; index < rows; index++) {
                generator.fill(index, row);
                bytes.clear();
                bytes.asDoubleBuffer().put(row);
                output.write(bytes.array());
            }
        }
    }

    /**
     * Mean squared distance of a row to its nearest center, in double, over at most {@code most} rows spread evenly.
     *
     * @param model the centers, one after the other
     */
    double meanCost(double[] model, long most) {
        double[][] centers = new double[model.length / features][];
        Arrays.setAll(centers, center -> Arrays.copyOfRange(model, center * features, (center + 1) * features));
        long stride = Math.max(1, rows / most);
        return LongStream.range(0, (rows + stride - 1) / stride).parallel()
            .mapToDouble(index -> Nearest.PER_THREAD.get().cost(this, index * stride, centers)).average().orElse(0);
    }

    /** Not thread-safe. */
    static final class Generator {
        private final KMeansWorkload workload;
        private final double[][] clouds;

        private Generator(KMeansWorkload workload) {
            this.workload = workload;
            SplittableRandom random = new SplittableRandom(workload.seed);
            clouds = new double[workload.k][workload.features];
            for (double[] cloud : clouds) {
                for (int feature = 0; feature < cloud.length; feature++) {
                    cloud[feature] = SPREAD * random.nextGaussian();
                }
            }
        }

        void fill(long index, double[] row) {
            SplittableRandom random = new SplittableRandom(Workload.rowSeed(workload.seed, index));
            double[] cloud = clouds[random.nextInt(clouds.length)];
            for (int feature = 0; feature < row.length; feature++) {
                row[feature] = cloud[feature] + random.nextGaussian();
            }
        }
    }

    /** The generator and the row of one checking thread. */
    private static final class Nearest {
        static final ThreadLocal<Nearest> PER_THREAD = ThreadLocal.withInitial(Nearest::new);

        private KMeansWorkload workload;
        private Generator generator;
        private double[] row;

        double cost(KMeansWorkload wanted, long index, double[][] centers) {
            if (!wanted.equals(workload)) {
                workload = wanted;
                generator = wanted.generator();
                row = new double[wanted.features];
            }
            generator.fill(index, row);
            double least = Double.POSITIVE_INFINITY;
            for (double[] center : centers) {
                double distance = 0;
                for (int feature = 0; feature < row.length; feature++) {
                    double difference = row[feature] - center[feature];
                    distance += difference * difference;
                }
                least = Math.min(least, distance);
            }
            return least;
        }
    }
}
