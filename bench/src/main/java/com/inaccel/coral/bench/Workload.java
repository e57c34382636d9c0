package com.inaccel.coral.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/**
 * What is clustered, and how: the same for every contestant.
 *
 * <p>Row {@code i} depends on the seed and {@code i} alone, so that any process, in any partitioning, makes the same rows.
 * Rows are drawn around {@code k} points that lie so close together that their clouds overlap: with clouds apart, Lloyd's
 * algorithm converges after a few iterations, and a race over few iterations would say little.
 *
 * @param iterations at most; the tolerance is 0
 * @param init how Spark's contestants start: {@code k-means||} or {@code random}
 */
record Workload(long rows, int features, int k, int iterations, long seed, String init) implements Serializable {
    private static final long serialVersionUID = 1L;

    /** In standard deviations of a cloud: their nearest neighbours then lie about two of them apart. */
    private static final double SPREAD = 0.3;
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    Workload withRows(long count) {
        return new Workload(count, features, k, iterations, seed, init);
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
     * Mean squared distance of a row to its nearest center, in double, over at most {@code most} rows spread evenly: the
     * one measure by which all contestants' results are compared, computed by none of them.
     */
    double meanCost(double[][] centers, long most) {
        long stride = Math.max(1, rows / most);
        return LongStream.range(0, (rows + stride - 1) / stride).parallel()
            .mapToDouble(index -> Nearest.PER_THREAD.get().cost(this, index * stride, centers)).average().orElse(0);
    }

    /** Not thread-safe. */
    static final class Generator {
        private final Workload workload;
        private final double[][] clouds;

        private Generator(Workload workload) {
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
            SplittableRandom random = new SplittableRandom(workload.seed ^ (index + 1) * GOLDEN);
            double[] cloud = clouds[random.nextInt(clouds.length)];
            for (int feature = 0; feature < row.length; feature++) {
                row[feature] = cloud[feature] + random.nextGaussian();
            }
        }
    }

    /** The generator and the row of one checking thread. */
    private static final class Nearest {
        static final ThreadLocal<Nearest> PER_THREAD = ThreadLocal.withInitial(Nearest::new);

        private Workload workload;
        private Generator generator;
        private double[] row;

        double cost(Workload wanted, long index, double[][] centers) {
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
