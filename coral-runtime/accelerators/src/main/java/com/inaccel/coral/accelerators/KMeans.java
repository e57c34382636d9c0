package com.inaccel.coral.accelerators;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What the KMeans accelerators share. There are eight: {@code Assign} (one Lloyd iteration: label each row and add it to
 * its cluster) and {@code Nearest} (let each row know further candidates, for k-means||), for dense and sparse rows, with
 * features stored in single or double. The contract that both kernels and these references keep, to the bit, heads
 * {@code dense.cl} and {@code sparse.cl}.
 */
abstract class KMeans implements Accelerator {
    static final String BITSTREAM = "com.inaccel.ml.KMeans.";

    private final String name;
    private final List<Parameter> parameters;

    /** Width of the stored features. */
    enum Real {
        SINGLE("Single", Type.FLOATS),
        DOUBLE("Double", Type.DOUBLES);

        final String suffix;
        final Type type;

        Real(String suffix, Type type) {
            this.suffix = suffix;
            this.type = type;
        }
    }

    KMeans(String kernelId, Real real, List<Parameter> parameters) {
        this.name = BITSTREAM + kernelId + real.suffix;
        this.parameters = parameters;
    }

    static List<Accelerator> all() {
        return Stream.of(Real.values())
            .flatMap(real -> Stream.<Accelerator>of(
                KMeansDense.assign(real), KMeansDense.nearest(real),
                KMeansSparse.assign(real), KMeansSparse.nearest(real)))
            .toList();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Parameter> parameters() {
        return parameters;
    }

    /** Rows of one block at least: what one work-item does, and what is summed before blocks are added up. */
    private static final int LEAST_BLOCK_ROWS = 2048;
    /** Blocks of one request at least, where it has the rows: work-items to share out among the device's units. */
    private static final int LEAST_BLOCKS = 8;

    /** Rows of one block; {@code enough} of them make a block's sums small beside the rows themselves. */
    static int blockRows(int rows, long enough) {
        return (int) Math.max(LEAST_BLOCK_ROWS, Math.min(enough, ceilDiv(rows, LEAST_BLOCKS)));
    }

    static int blocks(int rows, int blockRows) {
        return (int) ceilDiv(rows, blockRows);
    }

    static long ceilDiv(long dividend, long divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    /** At least one, and within what the kernels count in ints. */
    int positive(Arguments arguments, int index) {
        int value = arguments.intAt(index);
        if (value < 1) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "size below one: accelerator=" + name + ", "
                + parameters.get(index).name() + "=" + value + ", least=1");
        }
        return value;
    }

    void requireElements(Arguments arguments, int index, long elements) {
        Parameter parameter = parameters.get(index);
        long needed = Math.multiplyExact(elements, parameter.type().elementBytes());
        if (arguments.bytesAt(index) < needed) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE, "slice too short: accelerator=" + name + ", parameter="
                + parameter.name() + ", bytes=" + arguments.bytesAt(index) + ", neededBytes=" + needed
                + "; pass a longer slice or smaller sizes");
        }
    }

    /** The kernels count the elements of a block's sums in ints. */
    void requireCountable(long sums) {
        if (sums > Integer.MAX_VALUE) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "too many sums: accelerator=" + name + ", sums=" + sums
                + ", limit=" + Integer.MAX_VALUE + "; use fewer centers or features");
        }
    }

    /** Weights are there for all rows or for none. */
    void requireWeights(Arguments arguments, int index, int rows) {
        if (arguments.bytesAt(index) != 0) {
            requireElements(arguments, index, rows);
        }
    }

    /** The least distance and who has it, lowest index first. */
    static final class Nearest {
        double distance;
        int label;
    }

    /** Adds up blocks as the kernels do: each by itself from zero, then in ascending order from the first. */
    static double[] sumBlocks(int blocks, IntFunction<double[]> block) {
        double[][] partials = IntStream.range(0, blocks).parallel().mapToObj(block).toArray(double[][]::new);
        double[] sum = partials[0];
        for (int i = 1; i < blocks; i++) {
            for (int e = 0; e < sum.length; e++) {
                sum[e] += partials[i][e];
            }
        }
        return sum;
    }

    static double[] doubles(ByteBuffer buffer, int count) {
        double[] values = new double[count];
        buffer.asDoubleBuffer().get(0, values);
        return values;
    }

    /** Reads stored features of either width as doubles. */
    static final class Values {
        private final DoubleBuffer doubles;
        private final FloatBuffer floats;
        private final float[] narrow;

        Values(ByteBuffer buffer, Type type, int longest) {
            boolean wide = type == Type.DOUBLES;
            doubles = wide ? buffer.asDoubleBuffer() : null;
            floats = wide ? null : buffer.asFloatBuffer();
            narrow = wide ? null : new float[longest];
        }

        int count() {
            return doubles != null ? doubles.limit() : floats.limit();
        }

        double at(int index) {
            return doubles != null ? doubles.get(index) : floats.get(index);
        }

        void read(int index, double[] into) {
            if (doubles != null) {
                doubles.get(index, into);
                return;
            }
            floats.get(index, narrow, 0, into.length);
            for (int i = 0; i < into.length; i++) {
                into[i] = narrow[i];
            }
        }
    }
}
