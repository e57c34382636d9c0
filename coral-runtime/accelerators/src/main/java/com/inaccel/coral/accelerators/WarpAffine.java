package com.inaccel.coral.accelerators;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.accelerators.Accelerator.Operand.Arg;
import com.inaccel.coral.accelerators.Accelerator.Operand.IntValue;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Pixels fetched from where an affine map says; contract and kernel in {@code warp.cl}.
 *
 * <p>Image and result may be parts of larger ones: {@code left}, {@code top} and {@code out_left}, {@code out_top} say where they
 * lie. The border is that of the part, so whoever cuts an image keeps parts' borders out of reach.
 */
final class WarpAffine extends Vision {
    private static final int IMAGE = 0;
    private static final int RESULT = 1;
    private static final int WIDTH = 2;
    private static final int HEIGHT = 3;
    private static final int CHANNELS = 4;
    private static final int OUT_WIDTH = 5;
    private static final int OUT_HEIGHT = 6;
    private static final int LEFT = 7;
    private static final int TOP = 8;
    private static final int OUT_LEFT = 9;
    private static final int OUT_TOP = 10;
    private static final int M0 = 11;
    private static final int COEFFICIENTS = 6;
    private static final int BILINEAR = 17;
    private static final int BORDER = 18;
    private static final int VALUE = 19;

    private static final int CONSTANT = 0;
    private static final int REPLICATE = 1;
    private static final int REFLECT = 2;
    private static final int WRAP = 3;

    /** Units of a coordinate in a pixel, and of what bilinear weights tell apart. */
    private static final int UNITS = 1 << 10;
    private static final int FRACTIONS = 1 << 5;
    /** Beyond any image, however far. */
    private static final double FAR = 1L << 40;
    private static final long FAR_UNITS = 1L << 30;

    private static final int LEAST_STRIP_ROWS = 8;
    private static final int MOST_STRIP_ROWS = 64;
    private static final int STRIPS = 32;

    WarpAffine() {
        super("WarpAffine", parameterList());
    }

    private static List<Parameter> parameterList() {
        List<Parameter> list = new ArrayList<>(List.of(
            new Parameter("image", Type.BYTES, Access.READ), new Parameter("result", Type.BYTES, Access.WRITE)));
        for (String name : List.of("width", "height", "channels", "out_width", "out_height", "left", "top", "out_left",
                "out_top")) {
            list.add(Parameter.scalar(name, Type.INT));
        }
        for (int i = 0; i < COEFFICIENTS; i++) {
            list.add(Parameter.scalar("m" + i, Type.DOUBLE));
        }
        for (String name : List.of("bilinear", "border", "value")) {
            list.add(Parameter.scalar(name, Type.INT));
        }
        return List.copyOf(list);
    }

    @Override
    public void check(Arguments arguments) {
        int channels = within(arguments, CHANNELS, 1, MAX_CHANNELS);
        requireBytes(arguments, IMAGE, pixels(arguments, WIDTH, HEIGHT) * channels);
        requireBytes(arguments, RESULT, pixels(arguments, OUT_WIDTH, OUT_HEIGHT) * channels);
        for (int index = LEFT; index <= OUT_TOP; index++) {
            within(arguments, index, 0, MAX_SIDE);
        }
        for (int index = M0; index < M0 + COEFFICIENTS; index++) {
            if (!Double.isFinite(arguments.doubleAt(index))) {
                throw invalid("not a finite number", parameters().get(index).name() + "=" + arguments.doubleAt(index));
            }
        }
        within(arguments, BILINEAR, 0, 1);
        within(arguments, BORDER, CONSTANT, WRAP);
    }

    @Override
    public List<Launch> plan(Arguments arguments) {
        int rows = arguments.intAt(OUT_HEIGHT);
        int stripRows = Math.max(LEAST_STRIP_ROWS, Math.min(MOST_STRIP_ROWS, ceilDiv(rows, STRIPS)));
        List<Operand> operands = new ArrayList<>();
        for (int index = 0; index < parameters().size(); index++) {
            operands.add(new Arg(index));
        }
        operands.add(new IntValue(stripRows));
        return List.of(new Launch("warp_affine", ceilDiv(rows, stripRows), operands));
    }

    @Override
    public void reference(Arguments arguments) {
        Warp warp = new Warp(arguments);
        IntStream.range(0, warp.outHeight).parallel().forEach(warp::row);
    }

    private static final class Warp {
        private final ByteBuffer image;
        private final ByteBuffer result;
        private final int width;
        private final int height;
        private final int channels;
        private final int outWidth;
        private final int outHeight;
        private final int outTop;
        private final boolean bilinear;
        private final int border;
        private final int value;
        private final long left;
        private final long top;
        private final double[] m = new double[COEFFICIENTS];
        private final long[] columnX;
        private final long[] columnY;

        Warp(Arguments arguments) {
            image = arguments.bufferAt(IMAGE);
            result = arguments.bufferAt(RESULT);
            width = arguments.intAt(WIDTH);
            height = arguments.intAt(HEIGHT);
            channels = arguments.intAt(CHANNELS);
            outWidth = arguments.intAt(OUT_WIDTH);
            outHeight = arguments.intAt(OUT_HEIGHT);
            outTop = arguments.intAt(OUT_TOP);
            bilinear = arguments.intAt(BILINEAR) == 1;
            border = arguments.intAt(BORDER);
            value = arguments.intAt(VALUE);
            left = (long) arguments.intAt(LEFT) * UNITS;
            top = (long) arguments.intAt(TOP) * UNITS;
            for (int i = 0; i < COEFFICIENTS; i++) {
                m[i] = arguments.doubleAt(M0 + i);
            }
            columnX = new long[outWidth];
            columnY = new long[outWidth];
            for (int x = 0; x < outWidth; x++) {
                columnX[x] = units(m[0] * (x + arguments.intAt(OUT_LEFT)) * UNITS);
                columnY[x] = units(m[3] * (x + arguments.intAt(OUT_LEFT)) * UNITS);
            }
        }

        private static long units(double exact) {
            return (long) Math.rint(Math.max(-FAR, Math.min(FAR, exact)));
        }

        private static int near(long units) {
            return (int) Math.max(-FAR_UNITS, Math.min(FAR_UNITS - 1, units));
        }

        void row(int row) {
            byte[] line = new byte[outWidth * channels];
            int delta = bilinear ? UNITS / FRACTIONS / 2 : UNITS / 2;
            double v = row + outTop;
            long rowX = units((m[1] * v + m[2]) * UNITS) + delta - left;
            long rowY = units((m[4] * v + m[5]) * UNITS) + delta - top;
            for (int x = 0; x < outWidth; x++) {
                int sourceX = near(rowX + columnX[x]);
                int sourceY = near(rowY + columnY[x]);
                for (int c = 0; c < channels; c++) {
                    int pixel = bilinear ? blend(sourceX >> 5, sourceY >> 5, c) : at(sourceX >> 10, sourceY >> 10, c);
                    line[x * channels + c] = (byte) pixel;
                }
            }
            result.put(row * outWidth * channels, line);
        }

        /** Coordinates in 1/32 pixel. */
        private int blend(int sourceX, int sourceY, int c) {
            int x = sourceX >> 5;
            int y = sourceY >> 5;
            int right = sourceX & (FRACTIONS - 1);
            int down = sourceY & (FRACTIONS - 1);
            int upper = at(x, y, c) * (FRACTIONS - right) + at(x + 1, y, c) * right;
            int lower = at(x, y + 1, c) * (FRACTIONS - right) + at(x + 1, y + 1, c) * right;
            return (upper * (FRACTIONS - down) + lower * down + UNITS / 2) >> 10;
        }

        private int at(int x, int y, int c) {
            boolean inside = x >= 0 && x < width && y >= 0 && y < height;
            if (!inside && border == CONSTANT) {
                return value >> (Byte.SIZE * c) & 0xff;
            }
            return image.get((fold(y, height) * width + fold(x, width)) * channels + c) & 0xff;
        }

        private int fold(int p, int length) {
            return switch (border) {
                case REPLICATE -> clamp(p, length);
                case REFLECT -> reflect(p, length);
                case WRAP -> Math.floorMod(p, length);
                default -> p;
            };
        }
    }
}
