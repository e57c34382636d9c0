package com.inaccel.coral;

import java.awt.geom.AffineTransform;
import java.util.Arrays;

/**
 * How an image is mapped: where its pixels go, how values between pixels are found, and what lies beyond its borders. Immutable.
 *
 * <p>The matrix maps forward, from the image to the result, as OpenCV's {@code warpAffine} takes it without {@code
 * WARP_INVERSE_MAP}, and as {@link AffineTransform} means it: translating by (10, 0) moves the picture to the right.
 */
public final class WarpAffine {
    private static final int COEFFICIENTS = 6;

    /** What lies beyond the image. */
    public enum Border {
        /** Everywhere {@link #value}. */
        CONSTANT(0),
        /** The nearest pixel of the image. */
        REPLICATE(1),
        /** The image mirrored, its outermost pixels not repeated. */
        REFLECT_101(2),
        /** The image again. */
        WRAP(3);

        /** As the accelerator knows it. */
        final int code;

        Border(int code) {
            this.code = code;
        }
    }

    final double[] forward;
    final boolean bilinear;
    final Border border;
    final int[] value;
    /** 0: as the image. */
    final int width;
    final int height;

    private WarpAffine(double[] forward, boolean bilinear, Border border, int[] value, int width, int height) {
        this.forward = forward;
        this.bilinear = bilinear;
        this.border = border;
        this.value = value;
        this.width = width;
        this.height = height;
    }

    /**
     * Bilinear, black (and transparent) beyond the image, a result of the image's size.
     *
     * @param forward the rows of OpenCV's matrix: image pixel (x, y) goes to (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5])
     * @throws CoralException INVALID_ARGUMENT unless there are six finite numbers and the map can be inverted
     */
    public static WarpAffine of(double... forward) {
        if (forward.length != COEFFICIENTS) {
            throw invalid("not an affine matrix: coefficients=" + forward.length + "; pass its two rows of three");
        }
        double[] matrix = forward.clone();
        inverse(matrix);
        return new WarpAffine(matrix, /* bilinear= */ true, Border.CONSTANT, new int[] {0, 0, 0, 0}, 0, 0);
    }

    /** As {@link #of(double...)}. */
    public static WarpAffine of(AffineTransform forward) {
        return of(forward.getScaleX(), forward.getShearX(), forward.getTranslateX(),
            forward.getShearY(), forward.getScaleY(), forward.getTranslateY());
    }

    /** Takes the nearest pixel's value instead of one between four. */
    public WarpAffine nearest() {
        return new WarpAffine(forward, /* bilinear= */ false, border, value, width, height);
    }

    public WarpAffine border(Border border) {
        return new WarpAffine(forward, bilinear, border, value, width, height);
    }

    /**
     * Surrounds the image by this value.
     *
     * @param channels one value a channel, 0 to 255, in the order of the image's channels (of raw buffers as they lie there; of a
     *     {@link java.awt.image.BufferedImage} red, green, blue, alpha or grey); those left out are 0
     * @throws CoralException INVALID_ARGUMENT for values outside 0..255, or more than 4
     */
    public WarpAffine value(int... channels) {
        if (channels.length > Pixels.MAX_CHANNELS || Arrays.stream(channels).anyMatch(v -> v < 0 || v > 255)) {
            throw invalid("not a pixel's value: value=" + Arrays.toString(channels) + "; use up to "
                + Pixels.MAX_CHANNELS + " numbers from 0 to 255");
        }
        return new WarpAffine(forward, bilinear, Border.CONSTANT, Arrays.copyOf(channels, Pixels.MAX_CHANNELS), width, height);
    }

    /**
     * The result's size in pixels.
     *
     * @throws CoralException INVALID_ARGUMENT where {@link Accelerators} takes no such image
     */
    public WarpAffine size(int width, int height) {
        Pixels.requireSize(width, height);
        return new WarpAffine(forward, bilinear, border, value, width, height);
    }

    /** From the result to the image. */
    double[] backward() {
        return inverse(forward);
    }

    /** The same operations in the same order as OpenCV's. */
    private static double[] inverse(double[] m) {
        double determinant = m[0] * m[4] - m[1] * m[3];
        double factor = 1 / determinant;
        double[] inverse = {m[4] * factor, m[1] * -factor, 0, m[3] * -factor, m[0] * factor, 0};
        inverse[2] = -inverse[0] * m[2] - inverse[1] * m[5];
        inverse[5] = -inverse[3] * m[2] - inverse[4] * m[5];
        if (!Arrays.stream(m).allMatch(Double::isFinite) || !Arrays.stream(inverse).allMatch(Double::isFinite)) {
            throw invalid("matrix cannot be inverted: matrix=" + Arrays.toString(m) + ", determinant=" + determinant
                + "; pass six finite numbers with a determinant other than 0");
        }
        return inverse;
    }

    private static CoralException invalid(String message) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, message);
    }
}
