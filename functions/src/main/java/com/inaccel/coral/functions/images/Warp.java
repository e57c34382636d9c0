package com.inaccel.coral.functions.images;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.Images;
import com.inaccel.coral.WarpAffine;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * An image turned and scaled about its center, or mapped by any affine matrix; of the same size.
 *
 * @param matrix its two rows, from image to result; empty: by angle and scale
 * @param angle in degrees, clockwise
 */
record Warp(double[] matrix, double angle, double scale, Interpolation interpolation, WarpAffine.Border border)
        implements Operation {
    static final String NAME = "warp";
    private static final int COEFFICIENTS = 6;
    private static final double MOST_ANGLE = 360;
    private static final double LEAST_SCALE = 1e-3;
    private static final double MOST_SCALE = 1e3;

    /** How values between pixels are found. */
    enum Interpolation { BILINEAR, NEAREST }

    /** Of {@code angle=30,scale=1,interpolation=bilinear,border=constant}, or {@code matrix=1 0 0 0 1 0} in place of the first two. */
    static Warp of(String text) {
        Arguments arguments = new Arguments(NAME, text);
        double[] matrix = checked(arguments.numbers("matrix", COEFFICIENTS));
        Warp warp = new Warp(matrix, arguments.number("angle", 0, -MOST_ANGLE, MOST_ANGLE),
            arguments.number("scale", 1, LEAST_SCALE, MOST_SCALE),
            arguments.word("interpolation", Interpolation.BILINEAR, Interpolation.class),
            arguments.word("border", WarpAffine.Border.CONSTANT, WarpAffine.Border.class));
        arguments.requireNoMore();
        if (matrix.length > 0 && (warp.angle != 0 || warp.scale != 1)) {
            throw new FunctionException(Problem.BAD_REQUEST, "two ways to say where pixels go: " + NAME + "=" + text
                + "; give a matrix, or angle and scale");
        }
        return warp;
    }

    private static double[] checked(double[] matrix) {
        try {
            if (matrix.length > 0) {
                WarpAffine.of(matrix);
            }
            return matrix;
        } catch (CoralException e) {
            throw FunctionException.of(e);
        }
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String arguments() {
        String where = matrix.length == 0 ? "angle=" + angle + ",scale=" + scale
            : Arrays.stream(matrix).mapToObj(Double::toString).collect(Collectors.joining(" ", "matrix=", ""));
        return (where + ",interpolation=" + interpolation + ",border=" + border).toLowerCase(Locale.ROOT);
    }

    @Override
    public Set<String> accelerators() {
        return Set.of("com.inaccel.vision.Image.WarpAffine");
    }

    @Override
    public Applied apply(Images accelerators, BufferedImage image) {
        WarpAffine options = (matrix.length > 0 ? WarpAffine.of(matrix) : WarpAffine.of(aboutCenter(image))).border(border);
        BufferedImage warped = new BufferedImage(image.getWidth(), image.getHeight(), image.getType());
        return Applied.of(warped,
            accelerators.warpAffine(image, warped, interpolation == Interpolation.NEAREST ? options.nearest() : options));
    }

    private AffineTransform aboutCenter(BufferedImage image) {
        double x = (image.getWidth() - 1) / 2.0;
        double y = (image.getHeight() - 1) / 2.0;
        AffineTransform transform = AffineTransform.getTranslateInstance(x, y);
        transform.rotate(Math.toRadians(angle));
        transform.scale(scale, scale);
        transform.translate(-x, -y);
        return transform;
    }
}
