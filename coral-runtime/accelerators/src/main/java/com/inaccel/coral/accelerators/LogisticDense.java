package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.util.List;

/** LogisticRegression over dense rows; kernels in {@code logistic/dense.cl}. */
final class LogisticDense extends LogisticRegression {
    /** Features in all of a block of wide rows: with many more, few blocks would share out badly among the device's units. */
    private static final int BLOCK_VALUES = 1 << 17;
    private static final int LEAST_WIDE_ROWS = 64;
    private static final int FEATURES = 0;

    /* Scratch slots. */
    private static final int PADDED = 0;
    private static final int BLOCKS = 1;
    private static final int PARTIALS = 2;

    /** Bytes of the rows between whose two uses nothing else is read: with coefficients and sums they fit a core's cache. */
    private static final int GROUP_BYTES = 1 << 14;
    private static final int MOST_GROUP_ROWS = 32;
    private static final int COLUMN_TILE = 4;

    LogisticDense(Real real) {
        super("Gradient", real, List.of(new Parameter("features", real.type, Access.READ)));
    }

    @Override
    int blockRows(Arguments arguments, Shape shape) {
        int least = Math.max(LEAST_WIDE_ROWS, Math.min(LEAST_BLOCK_ROWS, BLOCK_VALUES / shape.d()));
        return blockRows(shape.n(), least, 16L * shape.classes());
    }

    @Override
    long partialDoubles(long columns, long features, long modelCount) {
        return columns * padded(features + 1) + padded(modelCount);
    }

    @Override
    void checkRows(Arguments arguments, int rows, int features) {
        requireElements(arguments, FEATURES, (long) rows * features);
    }

    @Override
    Rows rows(Arguments arguments, Shape shape, double[] w) {
        int d = shape.d();
        int columns = shape.columns();
        Values features = new Values(arguments.bufferAt(FEATURES), real.type, d);
        double[] x = new double[(int) padded(d)];
        double[][] padded = new double[columns][(int) padded(d)];
        for (int c = 0; c < columns; c++) {
            System.arraycopy(w, c * (d + 1), padded[c], 0, d);
        }
        return new Rows() {
            @Override
            public void margins(int row, double[] margins) {
                features.read(row * d, x, d);
                for (int c = 0; c < columns; c++) {
                    margins[c] = dot(x, padded[c]) + w[c * (d + 1) + d];
                }
            }

            @Override
            public void add(int row, double[] multipliers, double[] sums) {
                for (int c = 0; c < columns; c++) {
                    double multiplier = multipliers[c];
                    int sum = c * (d + 1);
                    for (int t = 0; t < d; t++) {
                        sums[sum + t] = Math.fma(multiplier, x[t], sums[sum + t]);
                    }
                }
            }
        };
    }

    private static double dot(double[] x, double[] w) {
        double a0 = 0;
        double a1 = 0;
        double a2 = 0;
        double a3 = 0;
        double a4 = 0;
        double a5 = 0;
        double a6 = 0;
        double a7 = 0;
        for (int t = 0; t < x.length; t += LANES) {
            a0 = Math.fma(x[t], w[t], a0);
            a1 = Math.fma(x[t + 1], w[t + 1], a1);
            a2 = Math.fma(x[t + 2], w[t + 2], a2);
            a3 = Math.fma(x[t + 3], w[t + 3], a3);
            a4 = Math.fma(x[t + 4], w[t + 4], a4);
            a5 = Math.fma(x[t + 5], w[t + 5], a5);
            a6 = Math.fma(x[t + 6], w[t + 6], a6);
            a7 = Math.fma(x[t + 7], w[t + 7], a7);
        }
        return ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7));
    }

    @Override
    public List<Launch> plan(Arguments arguments) {
        Shape shape = shape(arguments);
        int d = shape.d();
        int columns = shape.columns();
        int blockRows = blockRows(arguments, shape);
        int blocks = blocks(shape.n(), blockRows);
        boolean weighted = arguments.bytesAt(weights) != 0;
        int stride = (int) padded(d + 1L);
        Partial partial = new Partial(columns, d + 1, stride, d + 1, 1, shape.models(),
            (int) partialDoubles(columns, d, shape.models()));
        int groupRows = groupRows(d);
        Scratch padded = new Scratch(PADDED, columns * padded(d) * Double.BYTES);
        Scratch own = new Scratch(BLOCKS,
            (long) blocks * ((groupRows + LANES) * (long) columns + LANES * (long) shape.models()) * Double.BYTES);
        Scratch partials = new Scratch(PARTIALS, (long) blocks * partial.length() * Double.BYTES);
        return List.of(
            new Launch("coefficient_pad", ceilDiv(columns, COLUMN_TILE), List.of(new Arg(coefficients), padded,
                new IntValue(columns), new Arg(this.d))),
            new Launch("gradient", blocks, List.of(new Arg(FEATURES), new Arg(labels),
                new Arg(weighted ? weights : coefficients), new Arg(coefficients), padded, own, partials, new Arg(n),
                new Arg(this.d), new Arg(classes), new Arg(models), new IntValue(blockRows), new IntValue(groupRows),
                new IntValue(weighted ? 1 : 0))),
            partial.reduce(partials, result, blocks));
    }

    /** A multiple of 8. */
    private int groupRows(int d) {
        long rows = GROUP_BYTES / ((long) d * real.type.elementBytes());
        return (int) Math.max(LANES, Math.min(MOST_GROUP_ROWS, rows / LANES * LANES));
    }
}
