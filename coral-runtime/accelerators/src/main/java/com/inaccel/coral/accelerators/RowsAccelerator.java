package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * What accelerators share that pass over rows of features and add something up: rows are cut into blocks, each block is
 * summed by itself, and the blocks' sums are added in ascending order ({@code reduce} in {@code common.cl}). So the bits
 * of a result depend on neither the number of threads nor their luck.
 */
abstract class RowsAccelerator implements Accelerator {
    /** Doubles of a vector in the kernels. */
    static final int LANES = 8;

    /** Rows of one block at least: what one work-item does, and what is summed before blocks are added up. */
    static final int LEAST_BLOCK_ROWS = 2048;
    /** Blocks of one request at least, where it has the rows: work-items to share out among the device's units. */
    private static final int LEAST_BLOCKS = 8;
    /** Doubles that one work-item of reduce adds up. */
    private static final int REDUCE_CHUNK = 64;

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

    /** @param operation name up to the width of the features */
    RowsAccelerator(String operation, Real real, List<Parameter> parameters) {
        this.name = operation + real.suffix;
        this.parameters = parameters;
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final List<Parameter> parameters() {
        return parameters;
    }

    /** Rows of one block; {@code enough} of them make a block's sums small beside the rows themselves. */
    static int blockRows(int rows, long enough) {
        return blockRows(rows, LEAST_BLOCK_ROWS, enough);
    }

    static int blockRows(int rows, int least, long enough) {
        return (int) Math.max(least, Math.min(enough, ceilDiv(rows, LEAST_BLOCKS)));
    }

    static int blocks(int rows, int blockRows) {
        return (int) ceilDiv(rows, blockRows);
    }

    static long ceilDiv(long dividend, long divisor) {
        return (dividend + divisor - 1) / divisor;
    }

    /** Rounded up to whole vectors. */
    static long padded(long count) {
        return ceilDiv(count, LANES) * LANES;
    }

    static List<Parameter> concat(List<Parameter> first, List<Parameter> second) {
        List<Parameter> all = new ArrayList<>(first);
        all.addAll(second);
        return List.copyOf(all);
    }

    /** A CSR matrix, as the first three parameters of the accelerators for sparse rows. */
    static List<Parameter> csr(Real real) {
        return List.of(
            new Parameter("row_starts", Type.INTS, Access.READ),
            new Parameter("indices", Type.INTS, Access.READ),
            new Parameter("values", real.type, Access.READ));
    }

    /**
     * How a block's partial is laid out, and where reduce puts it: {@code rows} of {@code columns} doubles each, one every
     * {@code stride}, then {@code tail} doubles; padded to {@code length}. Element (row, column) of the result lies at
     * {@code row * rowStep + column * columnStep}, the tail behind.
     */
    record Partial(int rows, int columns, int stride, int rowStep, int columnStep, int tail, int length) {
        Launch reduce(Scratch partials, int result, int blocks) {
            return new Launch("reduce", ceilDiv(length, REDUCE_CHUNK), List.of(partials, new Arg(result),
                new IntValue(rows), new IntValue(columns), new IntValue(stride), new IntValue(rowStep),
                new IntValue(columnStep), new IntValue(tail), new IntValue(length), new IntValue(blocks)));
        }
    }

    /** At least one, and within what the kernels count in ints. */
    final int positive(Arguments arguments, int index) {
        int value = arguments.intAt(index);
        if (value < 1) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "size below one: accelerator=" + name + ", "
                + parameters.get(index).name() + "=" + value + ", least=1");
        }
        return value;
    }

    final void requireElements(Arguments arguments, int index, long elements) {
        Parameter parameter = parameters.get(index);
        int elementBytes = parameter.type().elementBytes();
        if (arguments.bytesAt(index) / elementBytes < elements) {
            long needed = elements > Long.MAX_VALUE / elementBytes ? Long.MAX_VALUE : elements * elementBytes;
            throw new CoralException(ErrorCode.OUT_OF_RANGE, "slice too short: accelerator=" + name + ", parameter="
                + parameter.name() + ", bytes=" + arguments.bytesAt(index) + ", neededBytes=" + needed
                + "; pass a longer slice or smaller sizes");
        }
    }

    /** The kernels count the elements of a block's sums in ints. */
    final void requireCountable(long sums, String fix) {
        if (sums > Integer.MAX_VALUE) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "too many sums: accelerator=" + name + ", sums=" + sums
                + ", limit=" + Integer.MAX_VALUE + "; " + fix);
        }
    }

    /** Weights are there for all rows or for none. */
    final void requireWeights(Arguments arguments, int index, int rows) {
        if (arguments.bytesAt(index) != 0) {
            requireElements(arguments, index, rows);
        }
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

        double at(int index) {
            return doubles != null ? doubles.get(index) : floats.get(index);
        }

        /** Fills {@code into} up to {@code length}. */
        void read(int index, double[] into, int length) {
            if (doubles != null) {
                doubles.get(index, into, 0, length);
                return;
            }
            floats.get(index, narrow, 0, length);
            for (int i = 0; i < length; i++) {
                into[i] = narrow[i];
            }
        }
    }
}
