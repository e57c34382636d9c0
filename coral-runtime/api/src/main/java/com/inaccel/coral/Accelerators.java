package com.inaccel.coral;

import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/**
 * Accelerators as library calls: {@code BufferedImage edges = Accelerators.edgeDetection(photo);}
 *
 * <p>All calls share one session at {@link Coral#defaultAddress()}, which the first of them opens, and which is replaced when its
 * manager went and none came in its place. {@link #close} closes it. {@link Images} does the same on a session of the caller's.
 *
 * <p>Every call fails with a {@link CoralException}: INVALID_ARGUMENT or OUT_OF_RANGE for what it cannot work with, and otherwise
 * whatever opening a session and submitting a request may end with. Thread-safe.
 */
public final class Accelerators {
    private static final SharedImages SHARED = new SharedImages();

    private Accelerators() { }

    /** Finds edges with {@link EdgeDetection#defaults()}. @return grey, 255 where there is an edge, else 0 */
    public static BufferedImage edgeDetection(BufferedImage in) {
        return edgeDetection(in, EdgeDetection.defaults());
    }

    /** Finds edges. @return grey, 255 where there is an edge, else 0 */
    public static BufferedImage edgeDetection(BufferedImage in, EdgeDetection how) {
        BufferedImage out = Images.edgesOf(in);
        edgeDetection(in, out, how);
        return out;
    }

    /** As {@link Images#edgeDetection(BufferedImage, BufferedImage, EdgeDetection)}. */
    public static Run edgeDetection(BufferedImage in, BufferedImage out, EdgeDetection how) {
        return SHARED.get().edgeDetection(in, out, how);
    }

    /** As {@link Images#edgeDetection(ByteBuffer, int, int, int, ByteBuffer, EdgeDetection)}. */
    public static Run edgeDetection(ByteBuffer in, int width, int height, int channels, ByteBuffer out, EdgeDetection how) {
        return SHARED.get().edgeDetection(in, width, height, channels, out, how);
    }

    /** Finds edges in a picture file with {@link EdgeDetection#defaults()}. */
    public static Run edgeDetection(Path in, Path out) {
        return edgeDetection(in, out, EdgeDetection.defaults());
    }

    /** Finds edges in a picture file; the output's format is that of its name's ending. */
    public static Run edgeDetection(Path in, Path out, EdgeDetection how) {
        String format = ImageFiles.format(out);
        BufferedImage image = ImageFiles.read(in);
        BufferedImage edges = Images.edgesOf(image);
        Run run = edgeDetection(image, edges, how);
        ImageFiles.write(edges, format, out);
        return run;
    }

    /** Finds edges in an encoded picture with {@link EdgeDetection#defaults()}. Writes PNG. Closes neither stream. */
    public static Run edgeDetection(InputStream in, OutputStream out) {
        return edgeDetection(in, out, EdgeDetection.defaults());
    }

    /** Finds edges in an encoded picture. Writes PNG. Closes neither stream. */
    public static Run edgeDetection(InputStream in, OutputStream out, EdgeDetection how) {
        BufferedImage image = ImageFiles.read(in);
        BufferedImage edges = Images.edgesOf(image);
        Run run = edgeDetection(image, edges, how);
        ImageFiles.write(edges, ImageFiles.PNG, out);
        return run;
    }

    /** As {@link #edgeDetection(BufferedImage)}, without waiting for the device. The image may not change until it is done. */
    public static CompletableFuture<BufferedImage> edgeDetectionAsync(BufferedImage in) {
        return edgeDetectionAsync(in, EdgeDetection.defaults());
    }

    /** As {@link #edgeDetectionAsync(BufferedImage)}. */
    public static CompletableFuture<BufferedImage> edgeDetectionAsync(BufferedImage in, EdgeDetection how) {
        return Images.future(() -> {
            BufferedImage out = Images.edgesOf(in);
            return edgeDetectionAsync(in, out, how).thenApply(run -> out);
        });
    }

    /** As {@link Images#edgeDetectionAsync(BufferedImage, BufferedImage, EdgeDetection)}. */
    public static CompletableFuture<Run> edgeDetectionAsync(BufferedImage in, BufferedImage out, EdgeDetection how) {
        return Images.future(() -> SHARED.get().edgeDetectionAsync(in, out, how));
    }

    /** As {@link Images#edgeDetectionAsync(ByteBuffer, int, int, int, ByteBuffer, EdgeDetection)}. */
    public static CompletableFuture<Run> edgeDetectionAsync(
            ByteBuffer in, int width, int height, int channels, ByteBuffer out, EdgeDetection how) {
        return Images.future(() -> SHARED.get().edgeDetectionAsync(in, width, height, channels, out, how));
    }

    /** As {@link #edgeDetection(Path, Path, EdgeDetection)}; files are read and written on the common pool. */
    public static CompletableFuture<Run> edgeDetectionAsync(Path in, Path out, EdgeDetection how) {
        return ImageFiles.reading(() -> ImageFiles.read(in)).thenCompose(image -> {
            BufferedImage edges = Images.edgesOf(image);
            return edgeDetectionAsync(image, edges, how).thenApplyAsync(run -> {
                ImageFiles.write(edges, ImageFiles.format(out), out);
                return run;
            });
        });
    }

    /** As {@link #edgeDetection(InputStream, OutputStream, EdgeDetection)}; streams are used on the common pool. */
    public static CompletableFuture<Run> edgeDetectionAsync(InputStream in, OutputStream out, EdgeDetection how) {
        return ImageFiles.reading(() -> ImageFiles.read(in)).thenCompose(image -> {
            BufferedImage edges = Images.edgesOf(image);
            return edgeDetectionAsync(image, edges, how).thenApplyAsync(run -> {
                ImageFiles.write(edges, ImageFiles.PNG, out);
                return run;
            });
        });
    }

    /** Maps an image as {@link WarpAffine#of(double...)} says. */
    public static BufferedImage warpAffine(BufferedImage in, double[] forward) {
        return warpAffine(in, WarpAffine.of(forward));
    }

    /** Maps an image as {@link WarpAffine#of(AffineTransform)} says. */
    public static BufferedImage warpAffine(BufferedImage in, AffineTransform forward) {
        return warpAffine(in, WarpAffine.of(forward));
    }

    /** Maps an image. @return grey, colour, or colour with alpha, as the image */
    public static BufferedImage warpAffine(BufferedImage in, WarpAffine how) {
        BufferedImage out = Images.warpedOf(in, how);
        warpAffine(in, out, how);
        return out;
    }

    /** As {@link Images#warpAffine(BufferedImage, BufferedImage, WarpAffine)}. */
    public static Run warpAffine(BufferedImage in, BufferedImage out, WarpAffine how) {
        return SHARED.get().warpAffine(in, out, how);
    }

    /** As {@link Images#warpAffine(ByteBuffer, int, int, int, ByteBuffer, WarpAffine)}. */
    public static Run warpAffine(ByteBuffer in, int width, int height, int channels, ByteBuffer out, WarpAffine how) {
        return SHARED.get().warpAffine(in, width, height, channels, out, how);
    }

    /** Maps a picture file as {@link WarpAffine#of(double...)} says. */
    public static Run warpAffine(Path in, Path out, double[] forward) {
        return warpAffine(in, out, WarpAffine.of(forward));
    }

    /** Maps a picture file; the output's format is that of its name's ending. */
    public static Run warpAffine(Path in, Path out, WarpAffine how) {
        String format = ImageFiles.format(out);
        BufferedImage image = ImageFiles.read(in);
        BufferedImage warped = Images.warpedOf(image, how);
        Run run = warpAffine(image, warped, how);
        ImageFiles.write(warped, format, out);
        return run;
    }

    /** Maps an encoded picture. Writes PNG. Closes neither stream. */
    public static Run warpAffine(InputStream in, OutputStream out, WarpAffine how) {
        BufferedImage image = ImageFiles.read(in);
        BufferedImage warped = Images.warpedOf(image, how);
        Run run = warpAffine(image, warped, how);
        ImageFiles.write(warped, ImageFiles.PNG, out);
        return run;
    }

    /** As {@link #warpAffine(BufferedImage, WarpAffine)}, without waiting for the device. The image may not change until it is done. */
    public static CompletableFuture<BufferedImage> warpAffineAsync(BufferedImage in, WarpAffine how) {
        return Images.future(() -> {
            BufferedImage out = Images.warpedOf(in, how);
            return warpAffineAsync(in, out, how).thenApply(run -> out);
        });
    }

    /** As {@link Images#warpAffineAsync(BufferedImage, BufferedImage, WarpAffine)}. */
    public static CompletableFuture<Run> warpAffineAsync(BufferedImage in, BufferedImage out, WarpAffine how) {
        return Images.future(() -> SHARED.get().warpAffineAsync(in, out, how));
    }

    /** As {@link Images#warpAffineAsync(ByteBuffer, int, int, int, ByteBuffer, WarpAffine)}. */
    public static CompletableFuture<Run> warpAffineAsync(
            ByteBuffer in, int width, int height, int channels, ByteBuffer out, WarpAffine how) {
        return Images.future(() -> SHARED.get().warpAffineAsync(in, width, height, channels, out, how));
    }

    /** As {@link #warpAffine(Path, Path, WarpAffine)}; files are read and written on the common pool. */
    public static CompletableFuture<Run> warpAffineAsync(Path in, Path out, WarpAffine how) {
        return ImageFiles.reading(() -> ImageFiles.read(in)).thenCompose(image -> {
            BufferedImage warped = Images.warpedOf(image, how);
            return warpAffineAsync(image, warped, how).thenApplyAsync(run -> {
                ImageFiles.write(warped, ImageFiles.format(out), out);
                return run;
            });
        });
    }

    /** As {@link #warpAffine(InputStream, OutputStream, WarpAffine)}; streams are used on the common pool. */
    public static CompletableFuture<Run> warpAffineAsync(InputStream in, OutputStream out, WarpAffine how) {
        return ImageFiles.reading(() -> ImageFiles.read(in)).thenCompose(image -> {
            BufferedImage warped = Images.warpedOf(image, how);
            return warpAffineAsync(image, warped, how).thenApplyAsync(run -> {
                ImageFiles.write(warped, ImageFiles.PNG, out);
                return run;
            });
        });
    }

    /** As {@link #kMeans(Session, double[][], double[][], int, double)}, on the shared session. */
    public static KMeansModel kMeans(double[][] points, double[][] centers, int maxIterations, double tolerance) {
        return kMeans(session(), points, centers, maxIterations, tolerance);
    }

    /**
     * Lloyd's algorithm: moves each center to the mean of the points that it is nearest to, again and again. A center without
     * points stays. Estimators for data that does not fit one machine are in {@code com.inaccel.coral.ml}.
     *
     * @param points n rows of d finite numbers
     * @param centers where to start: k rows of d
     * @param tolerance it has converged when no center moves further than that
     */
    public static KMeansModel kMeans(Session session, double[][] points, double[][] centers, int maxIterations,
            double tolerance) {
        return KMeansFit.fit(session, points, centers, maxIterations, tolerance);
    }

    /** As {@link #logisticRegression(Session, double[][], int[], double, int, double)}, on the shared session. */
    public static LogisticModel logisticRegression(double[][] features, int[] labels, double penalty, int maxIterations,
            double tolerance) {
        return logisticRegression(session(), features, labels, penalty, maxIterations, tolerance);
    }

    /**
     * Minimizes the mean logistic loss and {@code penalty / 2} times the sum of the squared coefficients (not of intercepts), by
     * L-BFGS from zero. Features are taken as they are: scale them where their units differ much.
     *
     * @param features n rows of d finite numbers
     * @param labels for each row its class, from 0; their greatest says how many classes there are
     * @param tolerance it has converged when the gradient is no longer than that
     */
    public static LogisticModel logisticRegression(Session session, double[][] features, int[] labels, double penalty,
            int maxIterations, double tolerance) {
        return LogisticFit.fit(session, features, labels, penalty, maxIterations, tolerance);
    }

    /** The session that all calls share, opened where it is not; for requests of the caller's own. {@link #close} closes it. */
    public static Session session() {
        return SHARED.session();
    }

    /** Closes the shared session, which ends calls that have not ended with SESSION_CLOSED. The next call opens another. */
    public static void close() {
        SHARED.close();
    }
}
