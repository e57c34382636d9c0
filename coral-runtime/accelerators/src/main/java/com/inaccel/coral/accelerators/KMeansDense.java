package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.List;

/** KMeans over dense rows; kernels and contract in {@code dense.cl}, the reason for their speed in {@code screen.cl}. */
abstract class KMeansDense extends KMeans {
    private static final int TILE = 8;
    private static final int GROUP = 32;
    private static final int VECTOR = 16;

    /* Scratch slots. */
    private static final int PADDED = 0;
    private static final int PACKED = 1;
    private static final int HALF = 2;
    private static final int NORM = 3;
    private static final int MEAN = 4;
    private static final int GROUPS = 5;
    private static final int PARTIALS = 6;

    private final Real real;

    private KMeansDense(String kernelId, Real real, List<Parameter> parameters) {
        super(kernelId, real, parameters);
        this.real = real;
    }

    /** Doubles of one block's partial. */
    private static long partial(int k, int d) {
        return k * padded(d) + padded(k + 1L);
    }

    private static int blockRowsOf(int n, int k) {
        return blockRows(n, 16L * k);
    }

    private List<Operand> screen(int k, int d) {
        return List.of(
            new Scratch(PADDED, k * padded(d) * Double.BYTES),
            new Scratch(PACKED, ceilDiv(k, TILE) * TILE * d * Float.BYTES),
            new Scratch(HALF, (long) k * Float.BYTES),
            new Scratch(NORM, (long) k * Float.BYTES),
            new Scratch(MEAN, (long) d * real.type.elementBytes()));
    }

    private Launch pack(int centers, int k, int d) {
        List<Operand> operands = new ArrayList<>(List.of(new Arg(centers)));
        operands.addAll(screen(k, d));
        operands.addAll(List.of(new IntValue(k), new IntValue(d)));
        return new Launch("center_pack", ceilDiv(k, TILE), operands);
    }

    /** Floats for a group of rows in each block, and for what the fixed-point screen prepares of rows and centers. */
    private static Scratch groups(int blocks, int k, int d) {
        long pairs = ceilDiv(d, 2);
        long fixedCenters = ceilDiv(k, VECTOR) * VECTOR * (pairs + 2);
        return new Scratch(GROUPS, blocks * (GROUP * (pairs + d + k) + fixedCenters) * Float.BYTES);
    }

    /** D of the contract, or something above {@code limit} as soon as it is known to be. */
    static double squaredDistance(double[] x, double[] centers, int offset, double limit) {
        int d = x.length;
        double a0 = 0;
        double a1 = 0;
        double a2 = 0;
        double a3 = 0;
        double a4 = 0;
        double a5 = 0;
        double a6 = 0;
        double a7 = 0;
        int t = 0;
        for (; t + LANES <= d; t += LANES) {
            double e0 = x[t] - centers[offset + t];
            double e1 = x[t + 1] - centers[offset + t + 1];
            double e2 = x[t + 2] - centers[offset + t + 2];
            double e3 = x[t + 3] - centers[offset + t + 3];
            double e4 = x[t + 4] - centers[offset + t + 4];
            double e5 = x[t + 5] - centers[offset + t + 5];
            double e6 = x[t + 6] - centers[offset + t + 6];
            double e7 = x[t + 7] - centers[offset + t + 7];
            a0 += e0 * e0;
            a1 += e1 * e1;
            a2 += e2 * e2;
            a3 += e3 * e3;
            a4 += e4 * e4;
            a5 += e5 * e5;
            a6 += e6 * e6;
            a7 += e7 * e7;
            // Lanes only grow and rounding is monotone, so a sum above the limit stays above it.
            if ((t & 31) == 24 && ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7)) > limit) {
                return Double.POSITIVE_INFINITY;
            }
        }
        double[] tail = {a0, a1, a2, a3, a4, a5, a6, a7};
        for (int lane = 0; t < d; t++, lane++) {
            double e = x[t] - centers[offset + t];
            tail[lane] += e * e;
        }
        return ((tail[0] + tail[4]) + (tail[2] + tail[6])) + ((tail[1] + tail[5]) + (tail[3] + tail[7]));
    }

    static void nearest(double[] x, double[] centers, int k, Nearest nearest) {
        nearest.distance = Double.POSITIVE_INFINITY;
        nearest.label = -1;
        for (int j = 0; j < k; j++) {
            double distance = squaredDistance(x, centers, j * x.length, nearest.distance);
            if (distance < nearest.distance || (nearest.label < 0 && !Double.isNaN(distance))) {
                nearest.distance = distance;
                nearest.label = j;
            }
        }
        if (nearest.label < 0) {
            nearest.label = 0;
            nearest.distance = squaredDistance(x, centers, 0, Double.POSITIVE_INFINITY);
        }
    }

    static KMeansDense assign(Real real) {
        return new Assign(real);
    }

    static KMeansDense nearest(Real real) {
        return new NearestOf(real);
    }

    private static final class Assign extends KMeansDense {
        private static final int FEATURES = 0;
        private static final int WEIGHTS = 1;
        private static final int CENTERS = 2;
        private static final int RESULT = 3;
        private static final int N = 4;
        private static final int D = 5;
        private static final int K = 6;

        Assign(Real real) {
            super("Assign", real, List.of(
                new Parameter("features", real.type, Access.READ),
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
            requireElements(arguments, FEATURES, n * d);
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
            ByteBuffer features = arguments.bufferAt(FEATURES);
            DoubleBuffer weights = arguments.bytesAt(WEIGHTS) == 0 ? null : arguments.bufferAt(WEIGHTS).asDoubleBuffer();
            int blockRows = blockRowsOf(n, k);
            double[] sums = sumBlocks(blocks(n, blockRows), block -> {
                double[] partial = new double[k * d + k + 1];
                double[] x = new double[d];
                Nearest nearest = new Nearest();
                Values values = new Values(features, parameters().get(FEATURES).type(), d);
                int end = (int) Math.min(n, (block + 1L) * blockRows);
                for (int i = block * blockRows; i < end; i++) {
                    values.read(i * d, x, d);
                    nearest(x, centers, k, nearest);
                    double weight = weights == null ? 1 : weights.get(i);
                    int sum = nearest.label * d;
                    for (int t = 0; t < d; t++) {
                        partial[sum + t] += weight * x[t];
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
            int blocks = blocks(n, blockRowsOf(n, k));
            boolean weighted = arguments.bytesAt(WEIGHTS) != 0;
            long length = partial(k, d);
            Scratch partials = new Scratch(PARTIALS, blocks * length * Double.BYTES);
            List<Operand> assign = new ArrayList<>(List.of(new Arg(FEATURES), new Arg(weighted ? WEIGHTS : CENTERS)));
            assign.addAll(super.screen(k, d));
            assign.addAll(List.of(groups(blocks, k, d), partials, new Arg(N), new Arg(D), new Arg(K),
                new IntValue(blockRowsOf(n, k)), new IntValue(weighted ? 1 : 0)));
            return List.of(
                super.pack(CENTERS, k, d),
                new Launch("assign", blocks, assign),
                new Partial(k, d, (int) padded(d), d, 1, k + 1, Math.toIntExact(length))
                    .reduce(partials, RESULT, blocks));
        }
    }

    private static final class NearestOf extends KMeansDense {
        private static final int FEATURES = 0;
        private static final int CENTERS = 1;
        private static final int DISTANCES = 2;
        private static final int LABELS = 3;
        private static final int N = 4;
        private static final int D = 5;
        private static final int M = 6;
        private static final int BASE = 7;

        NearestOf(Real real) {
            super("Nearest", real, List.of(
                new Parameter("features", real.type, Access.READ),
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
            requireElements(arguments, FEATURES, n * d);
            requireElements(arguments, CENTERS, m * d);
            requireElements(arguments, DISTANCES, n);
            requireElements(arguments, LABELS, n);
        }

        @Override
        public void reference(Arguments arguments) {
            int n = arguments.intAt(N);
            int d = arguments.intAt(D);
            int m = arguments.intAt(M);
            int base = arguments.intAt(BASE);
            double[] centers = doubles(arguments.bufferAt(CENTERS), m * d);
            Values values = new Values(arguments.bufferAt(FEATURES), parameters().get(FEATURES).type(), d);
            DoubleBuffer distances = arguments.bufferAt(DISTANCES).asDoubleBuffer();
            IntBuffer labels = arguments.bufferAt(LABELS).asIntBuffer();
            double[] x = new double[d];
            Nearest nearest = new Nearest();
            for (int i = 0; i < n; i++) {
                values.read(i * d, x, d);
                nearest(x, centers, m, nearest);
                if (nearest.distance < distances.get(i)) {
                    distances.put(i, nearest.distance);
                    labels.put(i, base + nearest.label);
                }
            }
        }

        @Override
        public List<Launch> plan(Arguments arguments) {
            int n = arguments.intAt(N);
            int d = arguments.intAt(D);
            int m = arguments.intAt(M);
            int blocks = blocks(n, blockRowsOf(n, m));
            List<Operand> nearest = new ArrayList<>(List.of(new Arg(FEATURES)));
            nearest.addAll(super.screen(m, d));
            nearest.addAll(List.of(groups(blocks, m, d), new Arg(DISTANCES), new Arg(LABELS),
                new Arg(N), new Arg(D), new Arg(M), new Arg(BASE), new IntValue(blockRowsOf(n, m))));
            return List.of(super.pack(CENTERS, m, d), new Launch("nearest", blocks, nearest));
        }
    }
}
