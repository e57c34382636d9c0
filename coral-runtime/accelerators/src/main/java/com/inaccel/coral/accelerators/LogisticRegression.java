package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import java.nio.DoubleBuffer;
import java.nio.IntBuffer;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the LogisticRegression accelerators share. There are four, {@code Gradient} for dense and sparse rows with features
 * stored in single or double: in one pass over the rows, loss and gradient of one or several models. The contract that both
 * kernels and these references keep, to the bit, heads {@code link.cl}, {@code dense.cl} and {@code sparse.cl}.
 */
abstract class LogisticRegression extends RowsAccelerator {
    /* What follows the parameters that hold the rows, by position relative to the first. */
    private static final int LABELS = 0;
    private static final int WEIGHTS = 1;
    private static final int COEFFICIENTS = 2;
    private static final int RESULT = 3;
    private static final int N = 4;
    private static final int D = 5;
    private static final int CLASSES = 6;
    private static final int MODELS = 7;

    final Real real;
    final int labels;
    final int weights;
    final int coefficients;
    final int result;
    final int n;
    final int d;
    final int classes;
    final int models;

    /** @param rows the parameters that hold the rows */
    LogisticRegression(String kernelId, Real real, List<Parameter> rows) {
        super("com.inaccel.ml.LogisticRegression." + kernelId, real, concat(rows, List.of(
            new Parameter("labels", Type.INTS, Access.READ),
            new Parameter("weights", Type.DOUBLES, Access.READ),
            new Parameter("coefficients", Type.DOUBLES, Access.READ),
            new Parameter("result", Type.DOUBLES, Access.WRITE),
            Parameter.scalar("n", Type.INT),
            Parameter.scalar("d", Type.INT),
            Parameter.scalar("classes", Type.INT),
            Parameter.scalar("models", Type.INT))));
        this.real = real;
        labels = rows.size() + LABELS;
        weights = rows.size() + WEIGHTS;
        coefficients = rows.size() + COEFFICIENTS;
        result = rows.size() + RESULT;
        n = rows.size() + N;
        d = rows.size() + D;
        classes = rows.size() + CLASSES;
        models = rows.size() + MODELS;
    }

    static List<Accelerator> all() {
        return Stream.of(Real.values())
            .flatMap(real -> Stream.<Accelerator>of(new LogisticDense(real), new LogisticSparse(real)))
            .toList();
    }

    /** A request's sizes. Each model has {@code classes} rows of coefficients: its columns, as the kernels see them. */
    record Shape(int n, int d, int classes, int models) {
        int columns() {
            return classes * models;
        }
    }

    final Shape shape(Arguments arguments) {
        return new Shape(arguments.intAt(n), arguments.intAt(d), arguments.intAt(classes), arguments.intAt(models));
    }

    /** Not a matter of how many models there are: one's bits are the same alone and beside others. */
    abstract int blockRows(Arguments arguments, Shape shape);

    /** Doubles of one block's partial. */
    abstract long partialDoubles(long columns, long features, long modelCount);

    abstract void checkRows(Arguments arguments, int rows, int features);

    /** For one thread. */
    abstract Rows rows(Arguments arguments, Shape shape, double[] w);

    /** Rows, whatever they are stored as. */
    interface Rows {
        /** For each column, the row times its coefficients, and its offset. */
        void margins(int row, double[] margins);

        /** Adds multiples of the row to {@code sums}, a row of d + 1 for each column. */
        void add(int row, double[] multipliers, double[] sums);
    }

    @Override
    public final void check(Arguments arguments) {
        int rows = positive(arguments, n);
        int features = positive(arguments, d);
        long modelCount = positive(arguments, models);
        long columns = positive(arguments, classes) * modelCount;
        String fix = "use fewer models, classes or features";
        requireCountable(columns, fix);
        requireCountable(partialDoubles(columns, features, modelCount), fix);
        checkRows(arguments, rows, features);
        requireElements(arguments, labels, rows);
        requireWeights(arguments, weights, rows);
        requireElements(arguments, coefficients, columns * (features + 1L));
        requireElements(arguments, result, columns * (features + 1L) + modelCount);
    }

    @Override
    public final void reference(Arguments arguments) {
        Shape shape = shape(arguments);
        double[] w = doubles(arguments.bufferAt(coefficients), shape.columns() * (shape.d + 1));
        int blockRows = blockRows(arguments, shape);
        double[] sums = sumBlocks(blocks(shape.n, blockRows), block -> sumBlock(arguments, shape,
            rows(arguments, shape, w), block * blockRows, (int) Math.min(shape.n, (block + 1L) * blockRows)));
        arguments.bufferAt(result).asDoubleBuffer().put(0, sums);
    }

    private double[] sumBlock(Arguments arguments, Shape shape, Rows rows, int begin, int end) {
        int columns = shape.columns();
        IntBuffer label = arguments.bufferAt(labels).asIntBuffer();
        DoubleBuffer weight = arguments.bytesAt(weights) == 0 ? null : arguments.bufferAt(weights).asDoubleBuffer();
        double[] sums = new double[columns * (shape.d + 1) + shape.models];
        double[] margins = new double[columns];
        double[][] lanes = new double[columns + shape.models][LANES];
        for (int i = begin; i < end; i++) {
            double w = weight == null ? 1 : weight.get(i);
            int lane = (i - begin) % LANES;
            rows.margins(i, margins);
            for (int model = 0; model < shape.models; model++) {
                lanes[columns + model][lane] += shape.classes == 1
                    ? Link.binomial(margins, model, label.get(i), w)
                    : Link.multinomial(margins, model * shape.classes, shape.classes, label.get(i), w);
            }
            for (int c = 0; c < columns; c++) {
                lanes[c][lane] += margins[c];
            }
            rows.add(i, margins, sums);
        }
        for (int c = 0; c < columns; c++) {
            sums[c * (shape.d + 1) + shape.d] = sumLanes(lanes[c]);
        }
        for (int model = 0; model < shape.models; model++) {
            sums[columns * (shape.d + 1) + model] = sumLanes(lanes[columns + model]);
        }
        return sums;
    }

    static double sumLanes(double[] a) {
        return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
    }
}
