package com.inaccel.coral.accelerators;

import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.List;

/** LogisticRegression over sparse rows (CSR); kernels in {@code logistic/sparse.cl}. */
final class LogisticSparse extends LogisticRegression {
    private static final int ROW_STARTS = 0;
    private static final int INDICES = 1;
    private static final int VALUES = 2;

    /* Scratch slots. */
    private static final int TRANSPOSED = 0;
    private static final int BLOCKS = 1;
    private static final int PARTIALS = 2;

    private static final int CHAINS = 4;
    /** Non-zeros of a block for each of its sums, unless there are fewer in all. */
    private static final double LEAST_VALUES_A_SUM = 8;
    private static final int GROUP_ROWS = 32;
    /** Rows of the transposed coefficients that one work-item writes. */
    private static final int TRANSPOSE_ROWS = 1024;

    LogisticSparse(Real real) {
        super("GradientSparse", real, csr(real));
    }

    /** A block's sums are as long as d, its rows much shorter: it should be worth starting and adding up so many sums. */
    @Override
    int blockRows(Arguments arguments, Shape shape) {
        double rowValues = Math.max(1, nonZeros(arguments)) / (double) shape.n();
        int worth = (int) Math.min(shape.n(), LEAST_VALUES_A_SUM * shape.d() / rowValues);
        return blockRows(shape.n(), Math.max(LEAST_BLOCK_ROWS, worth), (long) shape.classes() * Math.max(16, shape.d()));
    }

    @Override
    long partialDoubles(long columns, long features, long modelCount) {
        return padded(step(columns) * (features + 1) + modelCount);
    }

    /** Doubles from one feature's sums to the next one's: a single column's coefficient follows its sum. */
    private static long step(long columns) {
        return columns == 1 ? 2 : columns;
    }

    @Override
    void checkRows(Arguments arguments, int rows, int features) {
        requireElements(arguments, ROW_STARTS, rows + 1L);
    }

    /** Non-zeros that both buffers hold, whatever the row starts say. */
    private int nonZeros(Arguments arguments) {
        return (int) Math.min(arguments.bytesAt(INDICES) / Integer.BYTES,
            arguments.bytesAt(VALUES) / real.type.elementBytes());
    }

    @Override
    Rows rows(Arguments arguments, Shape shape, double[] w) {
        IntBuffer rowStarts = arguments.bufferAt(ROW_STARTS).asIntBuffer();
        IntBuffer indices = arguments.bufferAt(INDICES).asIntBuffer();
        Values values = new Values(arguments.bufferAt(VALUES), real.type, 0);
        int nonZeros = nonZeros(arguments);
        int d = shape.d();
        int columns = shape.columns();
        return new Rows() {
            private int begin;
            private int end;

            @Override
            public void margins(int row, double[] margins) {
                begin = Math.max(0, Math.min(nonZeros, rowStarts.get(row)));
                end = Math.max(begin, Math.min(nonZeros, rowStarts.get(row + 1)));
                double[] a = new double[CHAINS];
                for (int c = 0; c < columns; c++) {
                    int from = c * (d + 1);
                    Arrays.fill(a, 0);
                    for (int p = begin; p < end; p++) {
                        int t = indices.get(p);
                        if (t >= 0 && t < d) {
                            int chain = (p - begin) % CHAINS;
                            a[chain] = Math.fma(values.at(p), w[from + t], a[chain]);
                        }
                    }
                    margins[c] = ((a[0] + a[2]) + (a[1] + a[3])) + w[from + d];
                }
            }

            @Override
            public void add(int row, double[] multipliers, double[] sums) {
                for (int p = begin; p < end; p++) {
                    int t = indices.get(p);
                    if (t >= 0 && t < d) {
                        double value = values.at(p);
                        for (int c = 0; c < columns; c++) {
                            int at = c * (d + 1) + t;
                            sums[at] = Math.fma(multipliers[c], value, sums[at]);
                        }
                    }
                }
            }
        };
    }

    /** With a single column, its coefficients are their own transpose. */
    @Override
    public List<Launch> plan(Arguments arguments) {
        Shape shape = shape(arguments);
        int d = shape.d();
        int columns = shape.columns();
        int blockRows = blockRows(arguments, shape);
        int blocks = blocks(shape.n(), blockRows);
        boolean weighted = arguments.bytesAt(weights) != 0;
        Partial partial = new Partial(d + 1, columns, (int) step(columns), 1, d + 1, shape.models(),
            (int) partialDoubles(columns, d, shape.models()));
        Scratch transposed = new Scratch(TRANSPOSED, (d + 1L) * columns * Double.BYTES);
        Scratch own = new Scratch(BLOCKS,
            (long) blocks * ((2L * GROUP_ROWS + LANES) * columns + LANES * (long) shape.models()) * Double.BYTES);
        Scratch partials = new Scratch(PARTIALS, (long) blocks * partial.length() * Double.BYTES);
        String kernel = columns == 1 ? "sparse_gradient_single" : "sparse_gradient";
        Launch gradient = new Launch(kernel, blocks, List.of(new Arg(ROW_STARTS), new Arg(INDICES), new Arg(VALUES),
            new Arg(labels), new Arg(weighted ? weights : coefficients),
            columns == 1 ? new Arg(coefficients) : transposed, own, partials, new Arg(n), new Arg(this.d),
            new Arg(classes), new Arg(models), new IntValue(nonZeros(arguments)), new IntValue(blockRows),
            new IntValue(weighted ? 1 : 0)));
        Launch reduce = partial.reduce(partials, result, blocks);
        return columns == 1 ? List.of(gradient, reduce) : List.of(
            new Launch("coefficient_transpose", ceilDiv(d + 1L, TRANSPOSE_ROWS), List.of(new Arg(coefficients), transposed,
                new IntValue(columns), new Arg(this.d))),
            gradient, reduce);
    }
}
