package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.nio.DoubleBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;

/** KMeans over sparse rows (CSR); kernels and contract in {@code sparse.cl}. */
abstract class KMeansSparse extends KMeans {
    /* Scratch slots. */
    private static final int TRANSPOSED = 0;
    private static final int SQUARES = 1;
    private static final int PARTIALS = 2;

    /* Both accelerators begin with the matrix. */
    private static final int ROW_STARTS = 0;
    private static final int INDICES = 1;
    private static final int VALUES = 2;

    private final Real real;

    private KMeansSparse(String kernelId, Real real, List<Parameter> others) {
        super(kernelId + "Sparse", real, concat(csr(real), others));
        this.real = real;
    }

    /** Doubles of one block's partial. */
    private static long partial(int k, int d) {
        return padded((long) k * d + k + 1);
    }

    private static int blockRowsOf(int n, int k, int d) {
        return blockRows(n, Math.max(16L * k, (long) k * d / 8));
    }

    private static List<Operand> prepared(int k, int d) {
        return List.of(new Scratch(TRANSPOSED, d * padded(k) * Double.BYTES),
            new Scratch(SQUARES, padded(k) * Double.BYTES));
    }

    private static Launch transpose(int centers, int k, int d) {
        List<Operand> operands = new ArrayList<>(List.of(new Arg(centers)));
        operands.addAll(prepared(k, d));
        operands.addAll(List.of(new IntValue(k), new IntValue(d)));
        return new Launch("center_transpose", ceilDiv(k, LANES), operands);
    }

    /** Non-zeros that both buffers hold, whatever the row starts say. */
    private int nonZeros(Arguments arguments) {
        return (int) Math.min(arguments.bytesAt(INDICES) / Integer.BYTES,
            arguments.bytesAt(VALUES) / real.type.elementBytes());
    }

    /** A CSR matrix and k centers; never reads outside of its buffers, whatever they hold. */
    private final class Matrix {
        final IntBuffer rowStarts;
        final IntBuffer indices;
        final Values values;
        final int nonZeros;
        final double[] centers;
        final double[] squares;
        final int d;
        final int k;
        int begin;
        int end;

        Matrix(Arguments arguments, double[] centers, int d, int k) {
            this.rowStarts = arguments.bufferAt(ROW_STARTS).asIntBuffer();
            this.indices = arguments.bufferAt(INDICES).asIntBuffer();
            this.values = new Values(arguments.bufferAt(VALUES), real.type, 0);
            this.nonZeros = nonZeros(arguments);
            this.centers = centers;
            this.d = d;
            this.k = k;
            this.squares = new double[k];
            for (int j = 0; j < k; j++) {
                for (int t = 0; t < d; t++) {
                    squares[j] += centers[j * d + t] * centers[j * d + t];
                }
            }
        }

        void row(int i) {
            begin = Math.max(0, Math.min(nonZeros, rowStarts.get(i)));
            end = Math.max(begin, Math.min(nonZeros, rowStarts.get(i + 1)));
        }

        void nearest(Nearest nearest) {
            nearest.label = -1;
            nearest.distance = Double.NaN;
            double x2 = 0;
            for (int p = begin; p < end; p++) {
                int t = indices.get(p);
                double v = values.at(p);
                x2 += t >= 0 && t < d ? v * v : 0;
            }
            for (int j = 0; j < k; j++) {
                double distance = distance(x2, j);
                if (distance < nearest.distance || (nearest.label < 0 && !Double.isNaN(distance))) {
                    nearest.distance = distance;
                    nearest.label = j;
                }
            }
            nearest.label = Math.max(0, nearest.label);
        }

        private double distance(double x2, int j) {
            double dot = 0;
            for (int p = begin; p < end; p++) {
                int t = indices.get(p);
                if (t >= 0 && t < d) {
                    dot += values.at(p) * centers[j * d + t];
                }
            }
            double distance = x2 - 2 * dot + squares[j];
            return distance <= 0 ? 0 : distance;
        }
    }

    static KMeansSparse assign(Real real) {
        return new Assign(real);
    }

    static KMeansSparse nearest(Real real) {
        return new NearestOf(real);
    }

    private static final class Assign extends KMeansSparse {
        private static final int WEIGHTS = 3;
        private static final int CENTERS = 4;
        private static final int RESULT = 5;
        private static final int N = 6;
        private static final int D = 7;
        private static final int K = 8;

        Assign(Real real) {
            super("Assign", real, List.of(
                new Parameter("weights", Type.DOUBLES, Access.READ),
                new Parameter("centers", Type.DOUBLES, Access.READ),
                new Parameter("result", Type.DOUBLES, Access.WRITE),
                Parameter.scalar("n", Type.INT),
                Parameter.scalar("d", Type.INT),
                Parameter.scalar("k", Type.INT)));
        }

        @Override
        public void check(Arguments arguments) {
            long n = positive(arguments, N);
            long d = positive(arguments, D);
            long k = positive(arguments, K);
            requireElements(arguments, ROW_STARTS, n + 1);
            requireWeights(arguments, WEIGHTS, (int) n);
            requireElements(arguments, CENTERS, k * d);
            requireElements(arguments, RESULT, k * d + k + 1);
            requireCountable(partial((int) k, (int) d), FEWER);
        }

        @Override
        public void reference(Arguments arguments) {
            int n = arguments.intAt(N);
            int d = arguments.intAt(D);
            int k = arguments.intAt(K);
            double[] centers = doubles(arguments.bufferAt(CENTERS), k * d);
            DoubleBuffer weights = arguments.bytesAt(WEIGHTS) == 0 ? null : arguments.bufferAt(WEIGHTS).asDoubleBuffer();
            int blockRows = blockRowsOf(n, k, d);
            double[] sums = sumBlocks(blocks(n, blockRows), block -> {
                double[] partial = new double[k * d + k + 1];
                Nearest nearest = new Nearest();
                KMeansSparse.Matrix matrix = matrix(arguments, centers, d, k);
                int end = (int) Math.min(n, (block + 1L) * blockRows);
                for (int i = block * blockRows; i < end; i++) {
                    matrix.row(i);
                    matrix.nearest(nearest);
                    double weight = weights == null ? 1 : weights.get(i);
                    for (int p = matrix.begin; p < matrix.end; p++) {
                        int t = matrix.indices.get(p);
                        if (t >= 0 && t < d) {
                            partial[nearest.label * d + t] += weight * matrix.values.at(p);
                        }
                    }
                    partial[k * d + nearest.label] += weight;
                    partial[k * d + k] += weight * nearest.distance;
                }
                return partial;
            });
            arguments.bufferAt(RESULT).asDoubleBuffer().put(0, sums);
        }

        @Override
        public List<Launch> plan(Arguments arguments) {
            int n = arguments.intAt(N);
            int d = arguments.intAt(D);
            int k = arguments.intAt(K);
            int blocks = blocks(n, blockRowsOf(n, k, d));
            boolean weighted = arguments.bytesAt(WEIGHTS) != 0;
            long length = partial(k, d);
            Scratch partials = new Scratch(PARTIALS, blocks * length * Double.BYTES);
            List<Operand> assign = new ArrayList<>(List.of(new Arg(ROW_STARTS), new Arg(INDICES), new Arg(VALUES),
                new Arg(weighted ? WEIGHTS : CENTERS)));
            assign.addAll(prepared(k, d));
            assign.addAll(List.of(partials, new Arg(N), new Arg(D), new Arg(K),
                new IntValue(super.nonZeros(arguments)), new IntValue(blockRowsOf(n, k, d)), new IntValue(weighted ? 1 : 0)));
            return List.of(
                transpose(CENTERS, k, d),
                new Launch("sparse_assign", blocks, assign),
                new Partial(k, d, d, d, 1, k + 1, Math.toIntExact(length)).reduce(partials, RESULT, blocks));
        }
    }

    private static final class NearestOf extends KMeansSparse {
        private static final int CENTERS = 3;
        private static final int DISTANCES = 4;
        private static final int LABELS = 5;
        private static final int N = 6;
        private static final int D = 7;
        private static final int M = 8;
        private static final int BASE = 9;

        NearestOf(Real real) {
            super("Nearest", real, List.of(
                new Parameter("centers", Type.DOUBLES, Access.READ),
                new Parameter("distances", Type.DOUBLES, Access.READ_WRITE),
                new Parameter("labels", Type.INTS, Access.READ_WRITE),
                Parameter.scalar("n", Type.INT),
                Parameter.scalar("d", Type.INT),
                Parameter.scalar("m", Type.INT),
                Parameter.scalar("base", Type.INT)));
        }

        @Override
        public void check(Arguments arguments) {
            long n = positive(arguments, N);
            long d = positive(arguments, D);
            long m = positive(arguments, M);
            requireElements(arguments, ROW_STARTS, n + 1);
            requireElements(arguments, CENTERS, m * d);
            requireElements(arguments, DISTANCES, n);
            requireElements(arguments, LABELS, n);
        }

        @Override
        public void reference(Arguments arguments) {
            int d = arguments.intAt(D);
            int m = arguments.intAt(M);
            KMeansSparse.Matrix matrix = matrix(arguments, doubles(arguments.bufferAt(CENTERS), m * d), d, m);
            DoubleBuffer distances = arguments.bufferAt(DISTANCES).asDoubleBuffer();
            IntBuffer labels = arguments.bufferAt(LABELS).asIntBuffer();
            Nearest nearest = new Nearest();
            for (int i = 0; i < arguments.intAt(N); i++) {
                matrix.row(i);
                matrix.nearest(nearest);
                if (nearest.distance < distances.get(i)) {
                    distances.put(i, nearest.distance);
                    labels.put(i, arguments.intAt(BASE) + nearest.label);
                }
            }
        }

        @Override
        public List<Launch> plan(Arguments arguments) {
            int d = arguments.intAt(D);
            int m = arguments.intAt(M);
            int n = arguments.intAt(N);
            int blocks = blocks(n, blockRowsOf(n, m, d));
            List<Operand> nearest = new ArrayList<>(List.of(new Arg(ROW_STARTS), new Arg(INDICES), new Arg(VALUES)));
            nearest.addAll(prepared(m, d));
            nearest.addAll(List.of(new Arg(DISTANCES), new Arg(LABELS), new Arg(N), new Arg(D), new Arg(M),
                new IntValue(super.nonZeros(arguments)), new Arg(BASE), new IntValue(blockRowsOf(n, m, d))));
            return List.of(transpose(CENTERS, m, d), new Launch("sparse_nearest", blocks, nearest));
        }
    }

    final Matrix matrix(Arguments arguments, double[] centers, int d, int k) {
        return new Matrix(arguments, centers, d, k);
    }
}
