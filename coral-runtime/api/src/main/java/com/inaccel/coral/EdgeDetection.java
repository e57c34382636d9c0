package com.inaccel.coral;

/**
 * How edges are found: Canny's way. Immutable; start from {@link #defaults()}.
 *
 * <p>With {@link #sigma} 0 nothing is smoothed, and thresholds and norms mean what they mean to OpenCV's {@code Canny} with an
 * aperture of 3. Of a colour image the channel with the strongest gradient decides, pixel by pixel; an alpha channel is
 * one of them.
 */
public final class EdgeDetection {
    /** The greatest sigma. */
    public static final double MAX_SIGMA = 5;
    private static final double DEFAULT_SIGMA = 1.4;
    private static final double DEFAULT_LOW = 50;
    private static final double DEFAULT_HIGH = 100;
    /** So that its square is an int. */
    private static final double MAX_EUCLIDEAN = 32767;

    private final double sigma;
    private final double low;
    private final double high;
    private final boolean euclidean;

    private EdgeDetection(double sigma, double low, double high, boolean euclidean) {
        this.sigma = sigma;
        this.low = low;
        this.high = high;
        this.euclidean = euclidean;
    }

    /** Sigma 1.4 pixels, thresholds 50 and 100, sums of absolute gradients. */
    public static EdgeDetection defaults() {
        return new EdgeDetection(DEFAULT_SIGMA, DEFAULT_LOW, DEFAULT_HIGH, /* euclidean= */ false);
    }

    /**
     * The standard deviation, in pixels, of the Gaussian that smooths the image first; 0: it is not smoothed.
     *
     * @throws CoralException INVALID_ARGUMENT outside 0..{@link #MAX_SIGMA}
     */
    public EdgeDetection sigma(double pixels) {
        if (!(pixels >= 0 && pixels <= MAX_SIGMA)) {
            throw invalid("not a sigma: sigma=" + pixels + ", least=0, most=" + MAX_SIGMA);
        }
        return new EdgeDetection(pixels, low, high, euclidean);
    }

    /**
     * A gradient above {@code high} makes an edge; one above {@code low} too where it is connected to one. In grey levels, by
     * Sobel's 3 × 3 filters: a step from black to white has a gradient of 1020.
     *
     * @throws CoralException INVALID_ARGUMENT unless {@code 0 <= low <= high} and both are numbers
     */
    public EdgeDetection thresholds(double low, double high) {
        if (!(low >= 0 && low <= high && high < Double.POSITIVE_INFINITY)) {
            throw invalid("not thresholds: low=" + low + ", high=" + high + "; use 0 <= low <= high");
        }
        return new EdgeDetection(sigma, low, high, euclidean);
    }

    /** Measures gradients as {@code sqrt(dx² + dy²)} instead of {@code |dx| + |dy|}: more exact, and slower. */
    public EdgeDetection euclidean() {
        return new EdgeDetection(sigma, low, high, /* euclidean= */ true);
    }

    String accelerator() {
        return "com.inaccel.vision.Image.Canny" + (euclidean ? "L2" : "L1");
    }

    /** Rows beyond those of a result that it depends on. */
    int halo() {
        return (sigma == 0 ? 0 : ((int) Math.rint(6 * sigma + 1) | 1) / 2) + 2;
    }

    /** The scalars that follow sizes and rows in a request. */
    Request.Builder addTo(Request.Builder request, boolean leaveWeak) {
        return request.arg(threshold(low)).arg(threshold(high)).arg(sigma).arg(leaveWeak ? 1 : 0);
    }

    /** In the unit that gradients are compared in: of integers, so what is behind the point does not matter. */
    private int threshold(double value) {
        if (euclidean) {
            double limited = Math.min(MAX_EUCLIDEAN, value);
            return (int) Math.floor(limited * limited);
        }
        return (int) Math.min(Integer.MAX_VALUE, Math.floor(value));
    }

    private static CoralException invalid(String message) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, message);
    }
}
