package com.inaccel.coral.accelerators;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.util.List;
import java.util.stream.Stream;

/**
 * What the accelerators for images share. Images are 8 bit, 1 to 4 interleaved channels, rows without padding. All arithmetic
 * that decides a pixel is in integers, so every device gives the same bits; the contracts head {@code canny.cl} and
 * {@code warp.cl}.
 */
abstract class Vision implements Accelerator {
    /** Offsets within one channel are ints with room to spare. */
    static final int MAX_PIXELS = 1 << 27;
    /** Coordinates in 1/1024 pixel are ints, also those of what lies far outside. */
    static final int MAX_SIDE = 1 << 19;
    static final int MAX_CHANNELS = 4;

    private final String name;
    private final List<Parameter> parameters;

    Vision(String kernelId, List<Parameter> parameters) {
        this.name = "com.inaccel.vision.Image." + kernelId;
        this.parameters = parameters;
    }

    static List<Accelerator> all() {
        return Stream.<Accelerator>of(new Canny(Canny.Norm.L1), new Canny(Canny.Norm.L2), new WarpAffine()).toList();
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final List<Parameter> parameters() {
        return parameters;
    }

    /** The scalar at the index, which must lie within the limits. */
    final int within(Arguments arguments, int index, int least, int most) {
        int value = arguments.intAt(index);
        if (value < least || value > most) {
            throw invalid("out of its range", parameters.get(index).name() + "=" + value + ", least=" + least + ", most=" + most);
        }
        return value;
    }

    /** Pixels of an image whose sides are at these two indices. */
    final long pixels(Arguments arguments, int width, int height) {
        long pixels = (long) within(arguments, width, 1, MAX_SIDE) * within(arguments, height, 1, MAX_SIDE);
        if (pixels > MAX_PIXELS) {
            throw invalid("image too large", parameters.get(width).name() + "=" + arguments.intAt(width) + ", "
                + parameters.get(height).name() + "=" + arguments.intAt(height) + ", pixels=" + pixels + ", limit="
                + MAX_PIXELS);
        }
        return pixels;
    }

    final void requireBytes(Arguments arguments, int index, long bytes) {
        if (arguments.bytesAt(index) < bytes) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE, "slice too short: accelerator=" + name + ", parameter="
                + parameters.get(index).name() + ", bytes=" + arguments.bytesAt(index) + ", neededBytes=" + bytes
                + "; pass a longer slice or a smaller image");
        }
    }

    final CoralException invalid(String what, String details) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            what + ": accelerator=" + name + ", " + details + "; stay within the limits");
    }

    static int ceilDiv(int dividend, int divisor) {
        return (int) (((long) dividend + divisor - 1) / divisor);
    }

    /** {@code p} mirrored at both ends of {@code 0..length-1} without repeating them. */
    static int reflect(int p, int length) {
        if (p >= 0 && p < length) {
            return p;
        }
        if (length == 1) {
            return 0;
        }
        int period = 2 * (length - 1);
        int folded = Math.floorMod(p, period);
        return folded < length ? folded : period - folded;
    }

    static int clamp(int p, int length) {
        return Math.max(0, Math.min(length - 1, p));
    }
}
