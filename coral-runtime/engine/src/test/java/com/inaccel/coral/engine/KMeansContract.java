package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Request;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every device must give the bits that the KMeans contract (heads of dense.cl and sparse.cl) names; it is written out here
 * once more, as plainly as possible, so that neither kernels nor references are held against themselves.
 */
@ExtendWith(Leaks.class)
abstract class KMeansContract {
    private Engine engine;
    private EngineSession session;

    abstract Engine startEngine();

    @BeforeEach
    void start() {
        engine = startEngine();
        session = engine.open(Vectors.TENANT);
    }

    @AfterEach
    void close() {
        if (engine != null) {
            engine.close();
        }
    }

    /** Kinds of data that are hard in one way or another. */
    @SuppressWarnings("ImmutableEnumChecker") // the operators hold nothing
    enum Data {
        NORMAL,
        TIES,
        OFFSET,
        LARGE,
        TINY;

        double of(double value) {
            return switch (this) {
                case NORMAL -> value;
                case TIES -> Math.rint(value);
                case OFFSET -> value + 1e9;
                case LARGE -> value * 1e300;
                case TINY -> value * 1e-310;
            };
        }
    }

    record Case(Data data, int n, int d, int k, boolean weighted, boolean single) { }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        Random random = new Random(7);
        int[] rows = {1, 2, 31, 32, 33, 70, 2048, 5000};
        int[] features = {1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 100};
        int[] centers = {1, 2, 3, 8, 9, 10, 16, 33, 128};
        for (Data data : Data.values()) {
            for (int i = 0; i < 12; i++) {
                cases.add(new Case(data, rows[random.nextInt(rows.length)], features[random.nextInt(features.length)],
                    centers[random.nextInt(centers.length)], random.nextBoolean(), i % 2 == 0));
            }
        }
        cases.add(new Case(Data.NORMAL, 300, 784, 130, false, false));
        cases.add(new Case(Data.NORMAL, 20_000, 3, 200, true, true)); // blocks of an eighth of the rows
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldAssignDenseRowsToTheBit(Case is) {
        double[] features = stored(is, is.n * is.d, 1);
        double[] centers = centers(is, features);
        double[] weights = weights(is);
        double[] expected = assign(is, weights, denseDistances(is, features, centers), features,
            blockRows(is.n, 16L * is.k));
        double[] actual = run(Request.of(name("Assign", is)), is, List.of(
            real(is, features), doubles(is.weighted ? weights : new double[0]), doubles(centers)), expected.length);
        assertThat(actual).isEqualTo(expected);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldAssignSparseRowsToTheBit(Case is) {
        double[] dense = sparse(stored(is, is.n * is.d, 1));
        Csr csr = new Csr(dense, is.n, is.d);
        double[] centers = centers(is, dense);
        double[] weights = weights(is);
        int blockRows = blockRows(is.n, Math.max(16L * is.k, (long) is.k * is.d / 8));
        double[] expected = assign(is, weights, sparseDistances(is, dense, centers), dense, blockRows);
        double[] actual = run(Request.of(name("AssignSparse", is)), is, List.of(ints(csr.starts), ints(csr.indices),
            real(is, csr.values), doubles(is.weighted ? weights : new double[0]), doubles(centers)), expected.length);
        assertThat(actual).isEqualTo(expected);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldRememberTheNearestOfAllCandidatesToTheBit(Case is) {
        double[] dense = stored(is, is.n * is.d, 1);
        double[] centers = centers(is, dense);
        double[][] all = denseDistances(is, dense, centers);
        double[] zeros = sparse(dense);
        Csr csr = new Csr(zeros, is.n, is.d);
        checkNearest("Nearest", is, List.of(real(is, dense)), centers, all);
        checkNearest("NearestSparse", is, List.of(ints(csr.starts), ints(csr.indices), real(is, csr.values)), centers,
            sparseDistances(is, zeros, centers));
    }

    /** Hands the centers in in two parts, so that the second must respect what the first left. */
    private void checkNearest(String operation, Case is, List<ByteBuffer> matrix, double[] centers,
            double[][] distances) {
        EngineSegment state = session.allocate(12L * is.n + 64);
        for (int i = 0; i < is.n; i++) {
            state.buffer(0, 8L * is.n).putDouble(8 * i, Double.POSITIVE_INFINITY);
        }
        int half = is.k / 2;
        for (int[] part : new int[][] {{0, half}, {half, is.k}}) {
            if (part[0] < part[1]) {
                Request.Builder request = Request.of(name(operation, is));
                List<ByteBuffer> buffers = new ArrayList<>(matrix);
                buffers.add(doubles(Arrays.copyOfRange(centers, part[0] * is.d, part[1] * is.d)));
                EngineSegment inputs = Vectors.put(session, buffers, request);
                request.readWrite(state, 0, 8L * is.n).readWrite(state, 8L * is.n, 4L * is.n)
                    .arg(is.n).arg(is.d).arg(part[1] - part[0]).arg(part[0]);
                session.submit(request.build()).join();
                inputs.close();
            }
        }
        for (int i = 0; i < is.n; i++) {
            int label = label(distances[i]);
            if (distances[i][label] < Double.POSITIVE_INFINITY) {
                assertThat(state.buffer(0, 8L * is.n).getDouble(8 * i)).as("distance of row %d", i)
                    .isEqualTo(distances[i][label]);
                assertThat(state.buffer(8L * is.n, 4L * is.n).getInt(4 * i)).as("label of row %d", i).isEqualTo(label);
            }
        }
        state.close();
    }

    private static int blockRows(int rows, long enough) {
        return (int) Math.max(2048, Math.min(enough, (rows + 7) / 8));
    }

    private double[] run(Request.Builder request, Case is, List<ByteBuffer> buffers, int resultLength) {
        EngineSegment inputs = Vectors.put(session, buffers, request);
        EngineSegment result = session.allocate(8L * resultLength);
        session.submit(request.write(result, 0, 8L * resultLength).arg(is.n).arg(is.d).arg(is.k).build()).join();
        double[] values = new double[resultLength];
        result.buffer(0, 8L * resultLength).asDoubleBuffer().get(values);
        inputs.close();
        result.close();
        return values;
    }

    private static String name(String operation, Case is) {
        return "com.inaccel.ml.KMeans." + operation + (is.single ? "Single" : "Double");
    }

    /** The values as a device will see them: through float where they are stored in single. */
    private static double[] stored(Case is, int count, long seed) {
        Random random = new Random(seed + is.hashCode());
        return IntStream.range(0, count).mapToDouble(i -> is.data.of(3 * random.nextGaussian()))
            .map(value -> is.single ? (float) value : value).toArray();
    }

    private static double[] sparse(double[] dense) {
        Random random = new Random(3);
        return Arrays.stream(dense).map(value -> random.nextInt(3) == 0 ? value : 0).toArray();
    }

    /** Some are rows, so that distances of zero and duplicates occur. */
    private static double[] centers(Case is, double[] rows) {
        double[] centers = stored(is, is.k * is.d, 2);
        for (int j = 0; j < is.k; j += 3) {
            System.arraycopy(rows, (j % is.n) * is.d, centers, j * is.d, is.d);
        }
        return centers;
    }

    private static double[] weights(Case is) {
        return IntStream.range(0, is.n).mapToDouble(i -> is.weighted ? i % 5 / 3.0 : 1).toArray();
    }

    private static double[][] denseDistances(Case is, double[] features, double[] centers) {
        double[][] distances = new double[is.n][is.k];
        for (int i = 0; i < is.n; i++) {
            for (int j = 0; j < is.k; j++) {
                double[] a = new double[8];
                for (int t = 0; t < is.d; t++) {
                    double e = features[i * is.d + t] - centers[j * is.d + t];
                    a[t % 8] += e * e;
                }
                distances[i][j] = ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
            }
        }
        return distances;
    }

    private static double[][] sparseDistances(Case is, double[] dense, double[] centers) {
        double[][] distances = new double[is.n][is.k];
        for (int i = 0; i < is.n; i++) {
            for (int j = 0; j < is.k; j++) {
                double dot = 0;
                double x2 = 0;
                double c2 = 0;
                for (int t = 0; t < is.d; t++) {
                    double x = dense[i * is.d + t];
                    double c = centers[j * is.d + t];
                    c2 += c * c;
                    if (x != 0) {
                        dot += x * c;
                        x2 += x * x;
                    }
                }
                double distance = (x2 - 2 * dot) + c2;
                distances[i][j] = distance <= 0 ? 0 : distance;
            }
        }
        return distances;
    }

    private static int label(double[] distances) {
        int label = -1;
        for (int j = 0; j < distances.length; j++) {
            if (!Double.isNaN(distances[j]) && (label < 0 || distances[j] < distances[label])) {
                label = j;
            }
        }
        return Math.max(0, label);
    }

    private static double[] assign(Case is, double[] weights, double[][] distances, double[] rows, int blockRows) {
        double[] total = null;
        for (int begin = 0; begin < is.n; begin += blockRows) {
            double[] block = new double[is.k * is.d + is.k + 1];
            for (int i = begin; i < Math.min(is.n, begin + blockRows); i++) {
                int label = label(distances[i]);
                for (int t = 0; t < is.d; t++) {
                    block[label * is.d + t] += weights[i] * rows[i * is.d + t];
                }
                block[is.k * is.d + label] += weights[i];
                block[is.k * is.d + is.k] += weights[i] * distances[i][label];
            }
            if (total == null) {
                total = block;
            } else {
                for (int e = 0; e < total.length; e++) {
                    total[e] += block[e];
                }
            }
        }
        return total;
    }

    private static ByteBuffer real(Case is, double[] values) {
        if (!is.single) {
            return doubles(values);
        }
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(java.nio.ByteOrder.nativeOrder());
        Arrays.stream(values).forEach(value -> buffer.putFloat((float) value));
        return buffer.flip();
    }

    private static ByteBuffer doubles(double[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(8 * values.length).order(java.nio.ByteOrder.nativeOrder());
        buffer.asDoubleBuffer().put(values);
        return buffer;
    }

    private static ByteBuffer ints(int[] values) {
        ByteBuffer buffer = ByteBuffer.allocate(4 * values.length).order(java.nio.ByteOrder.nativeOrder());
        buffer.asIntBuffer().put(values);
        return buffer;
    }

    private static final class Csr {
        final int[] starts;
        final int[] indices;
        final double[] values;

        Csr(double[] dense, int n, int d) {
            starts = new int[n + 1];
            indices = IntStream.range(0, n * d).filter(e -> dense[e] != 0).map(e -> e % d).toArray();
            values = Arrays.stream(dense).filter(value -> value != 0).toArray();
            for (int e = 0; e < n * d; e++) {
                starts[e / d + 1] += dense[e] != 0 ? 1 : 0;
            }
            for (int i = 0; i < n; i++) {
                starts[i + 1] += starts[i];
            }
        }
    }
}
