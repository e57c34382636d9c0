package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import com.inaccel.coral.accelerators.Accelerator.Operand.Scratch;
import java.util.ArrayList;
import java.util.List;

/**
 * Canny's edge detection; contract and kernels in {@code canny.cl}.
 *
 * <p>A request may be for some rows of its image only, {@code first_row} and {@code rows}, so that large images can be cut: the
 * rows around them that matter are as many as the Gaussian's radius and two, or all there are. With {@code weak} 1 it leaves weak
 * pixels in its result, as 1, which whoever joins the parts needs.
 */
final class Canny extends Vision {
    private static final int IMAGE = 0;
    private static final int EDGES = 1;
    private static final int WIDTH = 2;
    private static final int HEIGHT = 3;
    private static final int CHANNELS = 4;
    private static final int FIRST_ROW = 5;
    private static final int ROWS = 6;
    private static final int LOW = 7;
    private static final int HIGH = 8;
    private static final int SIGMA = 9;
    private static final int WEAK = 10;

    /** Its radius, 15, is what fits into the words that the kernel takes. */
    private static final double MAX_SIGMA = 5;
    private static final int WEIGHTS_PER_WORD = 4;
    private static final int WEIGHT_WORDS = 4;

    /* Rows of one work-item: many enough to make the rows around them cheap, few enough to share out and to stay in cache. */
    private static final int LEAST_STRIP_ROWS = 16;
    private static final int MOST_STRIP_ROWS = 64;
    private static final int STRIPS = 32;
    private static final int WORD_PIXELS = 64;
    private static final int BIT_PLANES = 2;

    private final Norm norm;

    /** How a gradient is measured. */
    enum Norm { L1, L2 }

    Canny(Norm norm) {
        super("Canny" + norm, List.of(
            new Parameter("image", Type.BYTES, Access.READ),
            new Parameter("edges", Type.BYTES, Access.WRITE),
            Parameter.scalar("width", Type.INT),
            Parameter.scalar("height", Type.INT),
            Parameter.scalar("channels", Type.INT),
            Parameter.scalar("first_row", Type.INT),
            Parameter.scalar("rows", Type.INT),
            Parameter.scalar("low", Type.INT),
            Parameter.scalar("high", Type.INT),
            Parameter.scalar("sigma", Type.DOUBLE),
            Parameter.scalar("weak", Type.INT)));
        this.norm = norm;
    }

    @Override
    public void check(Arguments arguments) {
        long pixels = pixels(arguments, WIDTH, HEIGHT);
        int width = arguments.intAt(WIDTH);
        int height = arguments.intAt(HEIGHT);
        int channels = within(arguments, CHANNELS, 1, MAX_CHANNELS);
        int firstRow = within(arguments, FIRST_ROW, 0, height - 1);
        int rows = within(arguments, ROWS, 1, height - firstRow);
        within(arguments, LOW, 0, within(arguments, HIGH, 0, Integer.MAX_VALUE));
        within(arguments, WEAK, 0, 1);
        double sigma = arguments.doubleAt(SIGMA);
        if (!(sigma >= 0 && sigma <= MAX_SIGMA)) {
            throw invalid("out of its range", "sigma=" + sigma + ", least=0, most=" + MAX_SIGMA);
        }
        requireBytes(arguments, IMAGE, pixels * channels);
        requireBytes(arguments, EDGES, (long) width * rows);
    }

    @Override
    public void reference(Arguments arguments) {
        new CannyReference(arguments.bufferAt(IMAGE), arguments.intAt(WIDTH), arguments.intAt(HEIGHT),
            arguments.intAt(CHANNELS), weights(arguments.doubleAt(SIGMA)), norm, arguments.intAt(LOW), arguments.intAt(HIGH))
            .detect(arguments.bufferAt(EDGES), arguments.intAt(FIRST_ROW), arguments.intAt(ROWS), arguments.intAt(WEAK) == 1);
    }

    @Override
    public List<Launch> plan(Arguments arguments) {
        int rows = arguments.intAt(ROWS);
        int stripRows = Math.max(LEAST_STRIP_ROWS, Math.min(MOST_STRIP_ROWS, ceilDiv(rows, STRIPS)));
        int strips = ceilDiv(rows, stripRows);
        long words = (long) ceilDiv(arguments.intAt(WIDTH), WORD_PIXELS) * rows;
        Scratch bits = new Scratch(0, BIT_PLANES * words * Long.BYTES);
        int[] weights = weights(arguments.doubleAt(SIGMA));
        List<Operand> find = new ArrayList<>(List.of(new Arg(IMAGE), bits, new Arg(WIDTH), new Arg(HEIGHT), new Arg(CHANNELS),
            new Arg(FIRST_ROW), new Arg(ROWS), new Arg(LOW), new Arg(HIGH), new IntValue(weights.length - 1),
            new IntValue(stripRows)));
        for (int word : packed(weights)) {
            find.add(new IntValue(word));
        }
        return List.of(
            new Launch("canny_" + (norm == Norm.L1 ? "l1" : "l2"), strips, find),
            new Launch("canny_join", 1, List.of(bits, new Arg(WIDTH), new Arg(ROWS), new IntValue(stripRows))),
            new Launch("canny_write", strips,
                List.of(bits, new Arg(EDGES), new Arg(WIDTH), new Arg(ROWS), new Arg(WEAK), new IntValue(stripRows))));
    }

    /**
     * The Gaussian from its center outwards, in 1/256, so that both sides add up to 256: rounding errors are passed on inwards,
     * and the center takes the rest. One weight where there is nothing to blur.
     */
    static int[] weights(double sigma) {
        int radius = sigma == 0 ? 0 : ((int) Math.rint(6 * sigma + 1) | 1) / 2;
        double[] gaussian = new double[radius + 1];
        double sum = 0;
        for (int k = 0; k <= radius; k++) {
            gaussian[k] = k == 0 ? 1 : StrictMath.exp(-(k * k) / (2 * sigma * sigma));
            sum += k == 0 ? 1 : 2 * gaussian[k];
        }
        int[] weights = new int[radius + 1];
        double error = 0;
        int rest = 256;
        for (int k = radius; k > 0; k--) {
            double exact = gaussian[k] / sum * 256 + error;
            weights[k] = (int) Math.rint(exact);
            error = exact - weights[k];
            rest -= 2 * weights[k];
        }
        weights[0] = rest;
        return rest == 256 ? new int[] {256} : weights;
    }

    private static int[] packed(int[] weights) {
        int[] words = new int[WEIGHT_WORDS];
        for (int k = 0; k < weights.length && weights.length > 1; k++) {
            words[k / WEIGHTS_PER_WORD] |= weights[k] << (Byte.SIZE * (k % WEIGHTS_PER_WORD));
        }
        return words;
    }
}
