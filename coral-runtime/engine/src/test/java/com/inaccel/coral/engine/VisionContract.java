package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every device must give the pixels that the contracts at the heads of canny.cl and warp.cl name; they are written out here once
 * more, as plainly as possible, so that neither kernels nor references are held against themselves.
 */
@TestInstance(Lifecycle.PER_CLASS) // an engine for all: there are many cases
abstract class VisionContract {
    private Engine engine;
    private EngineSession session;

    abstract Engine startEngine();

    @BeforeAll
    void start() {
        engine = startEngine();
        session = engine.open(Vectors.TENANT);
    }

    @AfterAll
    void close() {
        if (engine != null) {
            engine.close();
        }
        Leaks.assertNone();
    }

    /** Kinds of pictures that are hard in one way or another. */
    enum Picture {
        /** No two neighbours alike: gradients of every direction and size. */
        NOISE,
        /** Few grey levels in blocks: ties. */
        BLOCKS,
        /** Blobs with long soft outlines, weak and strong by turns. */
        BLOBS,
        /** One weak line that winds through the whole picture and is strong at its end only. */
        MAZE,
        FLAT;

        int at(int x, int y, int c, Random random) {
            return switch (this) {
                case NOISE -> random.nextInt(256);
                case BLOCKS -> (x / 5 * 31 + y / 3 * 17 + c * 7) % 4 * 85;
                case BLOBS -> (int) (128 + 60 * Math.sin(x * 0.11 + c) + 60 * Math.cos(y * 0.07 * (1 + x * 0.001)));
                case MAZE -> x == 3 && y < 4 ? 255 : y % 8 == 4 || (y % 8 > 4 && x == (y % 16 > 8 ? 2 : 5) * 16) ? 60 : 0;
                case FLAT -> 255;
            };
        }
    }

    record Image(int width, int height, int channels, byte[] pixels) {
        static Image of(Picture picture, int width, int height, int channels) {
            Random random = new Random(width * 31L + height);
            byte[] pixels = new byte[width * height * channels];
            for (int i = 0; i < pixels.length; i++) {
                int pixel = i / channels;
                pixels[i] = (byte) picture.at(pixel % width, pixel / width, i % channels, random);
            }
            return new Image(width, height, channels, pixels);
        }

        int at(int x, int y, int c) {
            return pixels[(y * width + x) * channels + c] & 0xff;
        }
    }

    record Edges(Picture picture, int width, int height, int channels, int norm, int low, int high, double sigma) { }

    static Stream<Edges> edges() {
        List<Edges> cases = new ArrayList<>();
        Random random = new Random(5);
        int[] sides = {1, 2, 3, 15, 16, 17, 33, 63, 64, 65, 100, 130, 200};
        double[] sigmas = {0, 0, 0.3, 0.8, 1.4, 5};
        for (Picture picture : Picture.values()) {
            for (int i = 0; i < 14; i++) {
                int norm = 1 + i % 2;
                int low = norm == 1 ? 40 + random.nextInt(200) : 2000 + random.nextInt(20_000);
                cases.add(new Edges(picture, sides[random.nextInt(sides.length)], sides[random.nextInt(sides.length)],
                    1 + random.nextInt(4), norm, low, 3 * low, sigmas[random.nextInt(sigmas.length)]));
            }
        }
        cases.add(new Edges(Picture.MAZE, 300, 400, 1, 1, 100, 900, 0)); // over many strips
        cases.add(new Edges(Picture.BLOBS, 2100, 70, 3, 1, 20, 90, 1.4)); // over several tiles
        cases.add(new Edges(Picture.NOISE, 1025, 40, 3, 2, 40_000, 400_000, 0));
        cases.add(new Edges(Picture.NOISE, 1024, 20, 1, 1, 0, 0, 0.8));
        cases.add(new Edges(Picture.NOISE, 70, 30, 1, 1, 100, Integer.MAX_VALUE, 0));
        cases.add(new Edges(Picture.NOISE, 1, 700, 1, 1, 100, 200, 0));
        cases.add(new Edges(Picture.NOISE, 3000, 1, 3, 1, 100, 200, 1));
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("edges")
    void shouldFindTheContractsEdges(Edges is) {
        Image image = Image.of(is.picture, is.width, is.height, is.channels);
        byte[] candidates = candidates(is, image);
        byte[] expected = connected(candidates, is.width, is.height);
        assertThat(detect(is, image, 0, is.height, 0)).isEqualTo(expected);
    }

    /** With enough rows around it a part has the same candidates as the whole; edges from beyond it do not count. */
    @ParameterizedTest
    @MethodSource("edges")
    void shouldMarkPartsOfImages(Edges is) {
        Image image = Image.of(is.picture, is.width, is.height, is.channels);
        int first = is.height / 3;
        int rows = Math.max(1, is.height / 2);
        byte[] all = candidates(is, image);
        byte[] candidates = Arrays.copyOfRange(all, first * is.width, (first + rows) * is.width);
        byte[] expected = connected(candidates, is.width, rows);
        for (int i = 0; i < expected.length; i++) {
            expected[i] = expected[i] == 0 && candidates[i] != 0 ? 1 : expected[i];
        }
        assertThat(detect(is, image, first, rows, 1)).isEqualTo(expected);
    }

    private byte[] detect(Edges is, Image image, int first, int rows, int weak) {
        EngineSegment segment = session.allocate(image.pixels.length + 4096L + (long) is.width * rows);
        long offset = (image.pixels.length + 4095L) / 4096 * 4096;
        segment.buffer(0, image.pixels.length).put(image.pixels);
        session.submit(Request.of("com.inaccel.vision.Image.CannyL" + is.norm).read(segment, 0, image.pixels.length)
            .write(segment, offset, (long) is.width * rows).arg(is.width).arg(is.height).arg(is.channels).arg(first).arg(rows)
            .arg(is.low).arg(is.high).arg(is.sigma).arg(weak).build()).join();
        byte[] edges = new byte[is.width * rows];
        segment.buffer(offset, edges.length).get(edges);
        segment.close();
        return edges;
    }

    /** 1 where a candidate is, 2 where it is above the high threshold. */
    private static byte[] candidates(Edges is, Image image) {
        int[][][] smooth = smooth(is, image);
        int w = is.width;
        int h = is.height;
        long[][] size = new long[h + 2][w + 2];
        int[][] direction = new int[h][w];
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                size[y + 1][x + 1] = -1;
                for (int c = 0; c < is.channels; c++) {
                    int dx = 0;
                    int dy = 0;
                    for (int k = -1; k <= 1; k++) {
                        int weight = 2 - k * k;
                        dx += weight * (clamped(smooth[c], x + 1, y + k) - clamped(smooth[c], x - 1, y + k));
                        dy += weight * (clamped(smooth[c], x + k, y + 1) - clamped(smooth[c], x + k, y - 1));
                    }
                    long s = is.norm == 1 ? Math.abs(dx) + Math.abs(dy) : (long) dx * dx + (long) dy * dy;
                    if (s > size[y + 1][x + 1]) {
                        size[y + 1][x + 1] = s;
                        direction[y][x] = direction(dx, dy);
                    }
                }
            }
        }
        byte[] candidates = new byte[w * h];
        int[][] neighbours = {{-1, 0}, {0, -1}, {-1, -1}, {1, -1}};
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                int[] n = neighbours[direction[y][x]];
                long s = size[y + 1][x + 1];
                long before = size[y + 1 + n[1]][x + 1 + n[0]];
                long after = size[y + 1 - n[1]][x + 1 - n[0]];
                boolean largest = s > before && (direction[y][x] < 2 ? s >= after : s > after);
                candidates[y * w + x] = (byte) (s > is.low && largest ? s > is.high ? 2 : 1 : 0);
            }
        }
        return candidates;
    }

    private static int direction(int dx, int dy) {
        long across = 13573L * Math.abs(dx);
        long down = 32768L * Math.abs(dy);
        return down < across ? 0 : down > across + 65536L * Math.abs(dx) ? 1 : (dx ^ dy) < 0 ? 3 : 2;
    }

    private static int clamped(int[][] plane, int x, int y) {
        int[] row = plane[Math.max(0, Math.min(plane.length - 1, y))];
        return row[Math.max(0, Math.min(row.length - 1, x))];
    }

    private static int[][][] smooth(Edges is, Image image) {
        int[] weights = weights(is.sigma);
        int r = weights.length / 2;
        int[][][] smooth = new int[is.channels][is.height][is.width];
        for (int c = 0; c < is.channels; c++) {
            int[][] across = new int[is.height][is.width];
            for (int y = 0; y < is.height; y++) {
                for (int x = 0; x < is.width; x++) {
                    for (int k = -r; k <= r; k++) {
                        across[y][x] += weights[k + r] * image.at(mirrored(x + k, is.width), y, c);
                    }
                }
            }
            for (int y = 0; y < is.height; y++) {
                for (int x = 0; x < is.width; x++) {
                    int sum = 128 + r;
                    for (int k = -r; k <= r; k++) {
                        sum += (weights[k + r] * across[mirrored(y + k, is.height)][x]) / 256;
                    }
                    smooth[c][y][x] = r == 0 ? image.at(x, y, c) : sum / 256;
                }
            }
        }
        return smooth;
    }

    /** In 1/256, symmetric; what rounding leaves over goes inwards. */
    private static int[] weights(double sigma) {
        int r = sigma == 0 ? 0 : ((int) Math.rint(6 * sigma + 1) | 1) / 2;
        double total = 0;
        for (int k = -r; k <= r; k++) {
            total += k == 0 ? 1 : StrictMath.exp(-(k * k) / (2 * sigma * sigma));
        }
        int[] weights = new int[2 * r + 1];
        double error = 0;
        weights[r] = 256;
        for (int k = r; k > 0; k--) {
            double exact = StrictMath.exp(-(k * k) / (2 * sigma * sigma)) / total * 256 + error;
            int weight = (int) Math.rint(exact);
            error = exact - weight;
            weights[r - k] = weight;
            weights[r + k] = weight;
            weights[r] -= 2 * weight;
        }
        return weights[r] == 256 ? new int[] {256} : weights;
    }

    private static int mirrored(int p, int length) {
        int q = p;
        while (q < 0 || q >= length) {
            q = length == 1 ? 0 : q < 0 ? -q : 2 * (length - 1) - q;
        }
        return q;
    }

    /** Whatever is connected to a 2, by asking again and again. */
    private static byte[] connected(byte[] candidates, int width, int height) {
        byte[] edges = new byte[candidates.length];
        for (int i = 0; i < edges.length; i++) {
            edges[i] = (byte) (candidates[i] == 2 ? 255 : 0);
        }
        for (boolean changed = true; changed;) {
            changed = false;
            for (int pass = 0; pass < 2; pass++) {
                for (int n = 0; n < edges.length; n++) {
                    int i = pass == 0 ? n : edges.length - 1 - n;
                    if (candidates[i] == 1 && edges[i] == 0 && touches(edges, width, height, i % width, i / width)) {
                        edges[i] = (byte) 255;
                        changed = true;
                    }
                }
            }
        }
        return edges;
    }

    private static boolean touches(byte[] edges, int width, int height, int x, int y) {
        for (int ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
            for (int nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
                if (edges[ny * width + nx] != 0) {
                    return true;
                }
            }
        }
        return false;
    }

    record Warp(Picture picture, int width, int height, int channels, int outWidth, int outHeight, int[] origins, double[] m,
        int bilinear, int border) { }

    static Stream<Warp> warps() {
        List<Warp> cases = new ArrayList<>();
        Random random = new Random(6);
        int[] sides = {1, 2, 3, 16, 17, 40, 100, 300};
        int[] none = {0, 0, 0, 0};
        double[][] matrices = {{1, 0, 0, 0, 1, 0}, {1, 0, -3.5, 0, 1, 2.25}, {0.87, 0.5, -10, -0.5, 0.87, 20},
            {-1, 0, 60, 0, -1, 60}, {2.5, 0, 0, 0, 3.5, 0}, {0.1, 0.01, 5, -0.02, 0.3, 7}, {0, 1, 0, 1, 0, 0}};
        for (double[] m : matrices) {
            for (int border = 0; border < 4; border++) {
                for (int channels = 1; channels <= 4; channels++) {
                    cases.add(new Warp(Picture.NOISE, sides[random.nextInt(sides.length)], sides[random.nextInt(sides.length)],
                        channels, sides[random.nextInt(sides.length)], sides[random.nextInt(sides.length)], none, m,
                        random.nextInt(3) > 0 ? 1 : 0, border));
                }
            }
        }
        for (int border = 0; border < 4; border++) {
            cases.add(new Warp(Picture.NOISE, 40, 30, 3, 50, 20, new int[] {7, 9, 100, 200}, matrices[2], 1, border));
            cases.add(new Warp(Picture.NOISE, 40, 30, 1, 300, 20, none, new double[] {1e6, 3e7, -1e12, 1e300, 0, 0}, 1, border));
            cases.add(new Warp(Picture.NOISE, 40, 30, 1, 300, 20, none, new double[] {300_000, 0, 0, 0, 1, 0}, 0, border));
            cases.add(new Warp(Picture.NOISE, 40, 30, 3, 70, 20, none, new double[] {1e-300, 0, 5, 0, 1e-9, 7}, 1, border));
        }
        return cases.stream();
    }

    @ParameterizedTest
    @MethodSource("warps")
    void shouldWarpToTheContractsPixels(Warp is) {
        Image image = Image.of(is.picture, is.width, is.height, is.channels);
        byte[] expected = new byte[is.outWidth * is.outHeight * is.channels];
        for (int i = 0; i < expected.length; i++) {
            int pixel = i / is.channels;
            expected[i] = (byte) warped(is, image, pixel % is.outWidth, pixel / is.outWidth, i % is.channels);
        }
        EngineSegment segment = session.allocate(image.pixels.length + 4096L + expected.length);
        long offset = (image.pixels.length + 4095L) / 4096 * 4096;
        segment.buffer(0, image.pixels.length).put(image.pixels);
        Request.Builder request = Request.of("com.inaccel.vision.Image.WarpAffine").read(segment, 0, image.pixels.length)
            .write(segment, offset, expected.length).arg(is.width).arg(is.height).arg(is.channels)
            .arg(is.outWidth).arg(is.outHeight);
        Arrays.stream(is.origins).forEach(request::arg);
        Arrays.stream(is.m).forEach(request::arg);
        session.submit(request.arg(is.bilinear).arg(is.border).arg(0x80ff0a14).build()).join();
        byte[] actual = new byte[expected.length];
        segment.buffer(offset, actual.length).get(actual);
        segment.close();
        assertThat(actual).isEqualTo(expected);
    }

    private static int warped(Warp is, Image image, int column, int row, int c) {
        double u = column + is.origins[2];
        double v = row + is.origins[3];
        int delta = is.bilinear == 1 ? 16 : 512;
        long x = units(is.m[0] * u * 1024) + units((is.m[1] * v + is.m[2]) * 1024) + delta - is.origins[0] * 1024L;
        long y = units(is.m[3] * u * 1024) + units((is.m[4] * v + is.m[5]) * 1024) + delta - is.origins[1] * 1024L;
        x = Math.max(-(1L << 30), Math.min((1L << 30) - 1, x));
        y = Math.max(-(1L << 30), Math.min((1L << 30) - 1, y));
        int px = (int) Math.floorDiv(x, 1024);
        int py = (int) Math.floorDiv(y, 1024);
        if (is.bilinear == 0) {
            return pixel(is, image, px, py, c);
        }
        int fx = Math.floorMod(x, 1024) / 32;
        int fy = Math.floorMod(y, 1024) / 32;
        return (((32 - fx) * pixel(is, image, px, py, c) + fx * pixel(is, image, px + 1, py, c)) * (32 - fy)
            + ((32 - fx) * pixel(is, image, px, py + 1, c) + fx * pixel(is, image, px + 1, py + 1, c)) * fy + 512) / 1024;
    }

    private static long units(double exact) {
        return (long) Math.rint(Math.max(-0x1p40, Math.min(0x1p40, exact)));
    }

    private static int pixel(Warp is, Image image, int x, int y, int c) {
        if (is.border == 0 && (x < 0 || y < 0 || x >= is.width || y >= is.height)) {
            return 0x80ff0a14 >> (8 * c) & 255;
        }
        return image.at(folded(x, is.width, is.border), folded(y, is.height, is.border), c);
    }

    private static int folded(int p, int length, int border) {
        int period = Math.max(1, 2 * (length - 1));
        return switch (border) {
            case 1 -> Math.max(0, Math.min(length - 1, p));
            case 2 -> mirrored(Math.floorMod(p, period), length);
            case 3 -> Math.floorMod(p, length);
            default -> p;
        };
    }

    @Test
    void shouldRefuseWhatIsNoImage() {
        EngineSegment segment = session.allocate(1 << 20);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "width=0", 0, 10, 1, 0, 10, 5, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "height=-1", 10, -1, 1, 0, 10, 5, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "channels=5", 10, 10, 5, 0, 10, 5, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "rows=8", 10, 10, 1, 3, 8, 5, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "low=10", 10, 10, 1, 0, 10, 10, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "sigma=NaN", 10, 10, 1, 0, 10, 5, 9, Double.NaN, 0);
        requireRefusal(segment, ErrorCode.INVALID_ARGUMENT, "limit=134217728", 1 << 19, 1 << 19, 1, 0, 10, 5, 9, 1.0, 0);
        requireRefusal(segment, ErrorCode.OUT_OF_RANGE, "neededBytes=1200000", 1000, 400, 3, 0, 1, 5, 9, 1.0, 0);
        segment.close();
    }

    private void requireRefusal(EngineSegment segment, ErrorCode code, String fragment, int width, int height, int channels,
            int first, int rows, int low, int high, double sigma, int weak) {
        Vectors.requireFailure(session.submit(Request.of("com.inaccel.vision.Image.CannyL1").read(segment, 0, 1 << 19)
            .write(segment, 1 << 19, 1 << 19).arg(width).arg(height).arg(channels).arg(first).arg(rows).arg(low).arg(high)
            .arg(sigma).arg(weak).build()), code, fragment);
    }

}
