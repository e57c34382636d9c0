package com.inaccel.coral.bench.images;

import com.inaccel.coral.EdgeDetection;
import com.inaccel.coral.Images;
import com.inaccel.coral.Run;
import com.inaccel.coral.WarpAffine;
import java.nio.ByteBuffer;
import java.util.List;
import org.opencv.core.Core;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.core.Scalar;
import org.opencv.core.Size;
import org.opencv.imgproc.Imgproc;

/** The same piece of work for Coral and for OpenCV. */
interface Task {
    String name();

    /** Of the result. */
    int channels(Picture picture);

    Run coral(Images images, Picture picture, ByteBuffer out);

    void openCv(Mat in, Mat out);

    /** Grey levels by which results may differ. */
    int tolerance();

    /** @param sigma 0: nothing is smoothed */
    record Edges(double sigma, double low, double high, boolean euclidean) implements Task {
        @Override
        public String name() {
            return "edges, " + (euclidean ? "L2" : "L1") + (sigma == 0 ? "" : ", sigma " + sigma);
        }

        @Override
        public int channels(Picture picture) {
            return 1;
        }

        @Override
        public Run coral(Images images, Picture picture, ByteBuffer out) {
            EdgeDetection how = EdgeDetection.defaults().sigma(sigma).thresholds(low, high);
            return images.edgeDetection(picture.pixels(), picture.width(), picture.height(), picture.channels(), out,
                euclidean ? how.euclidean() : how);
        }

        @Override
        public void openCv(Mat in, Mat out) {
            Mat smooth = in;
            if (sigma > 0) {
                smooth = new Mat();
                Imgproc.GaussianBlur(in, smooth, new Size(0, 0), sigma);
            }
            Imgproc.Canny(smooth, out, low, high, 3, euclidean);
        }

        @Override
        public int tolerance() {
            return 0;
        }
    }

    /** @param forward as OpenCV's matrix */
    record Warp(double[] forward, boolean bilinear, WarpAffine.Border border) implements Task {
        @Override
        public String name() {
            return "warp, " + (bilinear ? "bilinear" : "nearest") + ", border " + border;
        }

        @Override
        public int channels(Picture picture) {
            return picture.channels();
        }

        @Override
        public Run coral(Images images, Picture picture, ByteBuffer out) {
            WarpAffine how = WarpAffine.of(forward).border(border);
            return images.warpAffine(picture.pixels(), picture.width(), picture.height(), picture.channels(), out,
                bilinear ? how : how.nearest());
        }

        @Override
        public void openCv(Mat in, Mat out) {
            Mat matrix = new Mat(2, 3, CvType.CV_64F);
            matrix.put(0, 0, forward);
            int mode = switch (border) {
                case CONSTANT -> Core.BORDER_CONSTANT;
                case REPLICATE -> Core.BORDER_REPLICATE;
                case REFLECT_101 -> Core.BORDER_REFLECT_101;
                case WRAP -> Core.BORDER_WRAP;
            };
            Imgproc.warpAffine(in, out, matrix, in.size(), bilinear ? Imgproc.INTER_LINEAR : Imgproc.INTER_NEAREST, mode,
                new Scalar(0, 0, 0, 0));
        }

        @Override
        public int tolerance() {
            return 1;
        }
    }

    /** By so many degrees about the middle, with a scale. */
    static double[] rotation(Picture picture, double degrees, double scale) {
        double a = scale * Math.cos(Math.toRadians(degrees));
        double b = scale * Math.sin(Math.toRadians(degrees));
        double x = picture.width() / 2.0;
        double y = picture.height() / 2.0;
        return new double[] {a, b, (1 - a) * x - b * y, -b, a, b * x + (1 - a) * y};
    }

    /** What the race is run over. */
    static List<Task> race(Picture picture) {
        double[] rotation = rotation(picture, 10, 1.1);
        return List.of(new Edges(0, 50, 100, false), new Edges(0, 50, 100, true), new Edges(1.4, 50, 100, false),
            new Warp(rotation, true, WarpAffine.Border.CONSTANT), new Warp(rotation, false, WarpAffine.Border.CONSTANT));
    }
}
