package com.inaccel.coral;

import java.util.ArrayList;
import java.util.List;

/** Cuts the result of a warp until what each part needs of the image fits a device. */
final class WarpParts {
    /** Pixels around a coordinate that its value may depend on, rounding included. */
    private static final int MARGIN = 2;

    private final Pixels in;
    private final Pixels out;
    private final WarpAffine how;
    private final double[] m;
    private final long partBytes;
    private final List<ImagePart> parts = new ArrayList<>();

    WarpParts(Pixels in, Pixels out, WarpAffine how, long partBytes) {
        this.in = in;
        this.out = out;
        this.how = how;
        this.m = how.backward();
        this.partBytes = partBytes;
    }

    private record Area(int x, int y, int width, int height) {
        long pixels() {
            return (long) width * height;
        }
    }

    List<ImagePart> parts() {
        Area all = new Area(0, 0, out.width, out.height);
        Area image = new Area(0, 0, in.width, in.height);
        if (fits(image, all)) {
            parts.add(part(image, all));
        } else {
            cut(all);
        }
        return parts;
    }

    private boolean fits(Area image, Area result) {
        return (image.pixels() + result.pixels()) * in.channels <= partBytes;
    }

    private void cut(Area result) {
        Area image = needed(result);
        if (fits(image, result)) {
            parts.add(part(image, result));
        } else if (result.pixels() == 1) {
            throw new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED, "image does not fit a device, and its border cannot be"
                + " cut: width=" + in.width + ", height=" + in.height + ", channels=" + in.channels + ", border=" + how.border
                + ", limitBytes=" + partBytes + "; use a constant or replicated border, or a smaller image");
        } else if (result.width > result.height) {
            int half = result.width / 2;
            cut(new Area(result.x, result.y, half, result.height));
            cut(new Area(result.x + half, result.y, result.width - half, result.height));
        } else {
            int half = result.height / 2;
            cut(new Area(result.x, result.y, result.width, half));
            cut(new Area(result.x, result.y + half, result.width, result.height - half));
        }
    }

    /** The part of the image that the pixels of an area are taken from. */
    private Area needed(Area result) {
        long[] columns = range(m[0], m[1], m[2], result, in.width);
        long[] rows = range(m[3], m[4], m[5], result, in.height);
        return new Area((int) columns[0], (int) rows[0], (int) (columns[1] - columns[0]), (int) (rows[1] - rows[0]));
    }

    private long[] range(double a, double b, double c, Area area, int length) {
        double least = Double.POSITIVE_INFINITY;
        double most = Double.NEGATIVE_INFINITY;
        for (int x : new int[] {area.x, area.x + area.width - 1}) {
            for (int y : new int[] {area.y, area.y + area.height - 1}) {
                double at = a * x + b * y + c;
                least = Math.min(least, at);
                most = Math.max(most, at);
            }
        }
        double from = Math.floor(least) - MARGIN;
        double to = Math.ceil(most) + MARGIN + 1;
        boolean folded = how.border == WarpAffine.Border.REFLECT_101 || how.border == WarpAffine.Border.WRAP;
        if (folded && (from < 0 || to > length)) {
            return new long[] {0, length};
        }
        long first = (long) Math.max(0, Math.min(length - 1, from));
        return new long[] {first, Math.max(first + 1, (long) Math.min(length, to))};
    }

    private ImagePart part(Area image, Area result) {
        return new ImagePart(image.pixels() * in.channels, result.pixels() * in.channels,
            buffer -> in.copyTo(buffer, image.x, image.y, image.width, image.height),
            buffer -> out.copyFrom(buffer, result.x, result.y, result.width, result.height),
            (input, output) -> {
                Request.Builder request = Request.of("com.inaccel.vision.Image.WarpAffine").arg(input).arg(output)
                    .arg(image.width).arg(image.height).arg(in.channels).arg(result.width).arg(result.height)
                    .arg(image.x).arg(image.y).arg(result.x).arg(result.y);
                for (double coefficient : m) {
                    request.arg(coefficient);
                }
                return request.arg(how.bilinear ? 1 : 0).arg(how.border.code).arg(in.packed(how.value)).build();
            });
    }
}
