package com.inaccel.coral.bench.images;

import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.List;
import javax.imageio.ImageIO;
import nu.pattern.OpenCV;
import org.opencv.core.CvType;
import org.opencv.core.Mat;
import org.opencv.imgproc.Imgproc;

/**
 * A picture as OpenCV and Coral take it: rows of interleaved bytes.
 *
 * @param pixels direct, from 0 to its limit
 */
record Picture(String name, int width, int height, int channels, ByteBuffer pixels) {
    /** The photographs that ship with Coral; the first has 12 megapixels. */
    static final List<String> PHOTOGRAPHS = List.of("sunset.jpg", "friends.jpg", "wine.jpg", "fig.jpg", "chelsea.png",
        "coffee.png", "rocket.jpg", "camera.png");
    private static final String DIRECTORY = "/com/inaccel/coral/functions/photos/";

    static {
        OpenCV.loadLocally();
    }

    /** In blue, green and red. */
    static Picture colour(String photograph) throws IOException {
        BufferedImage image;
        try (InputStream stream = Picture.class.getResourceAsStream(DIRECTORY + photograph)) {
            image = ImageIO.read(stream);
        }
        BufferedImage bytes = image;
        if (image.getType() != BufferedImage.TYPE_3BYTE_BGR) {
            bytes = new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_3BYTE_BGR);
            bytes.getGraphics().drawImage(image, 0, 0, null);
        }
        byte[] data = ((DataBufferByte) bytes.getRaster().getDataBuffer()).getData();
        return new Picture(photograph, image.getWidth(), image.getHeight(), 3,
            ByteBuffer.allocateDirect(data.length).put(data).flip());
    }

    /** In grey, as OpenCV makes it. */
    static Picture grey(String photograph) throws IOException {
        Picture colour = colour(photograph);
        Mat grey = new Mat();
        Imgproc.cvtColor(colour.mat(), grey, Imgproc.COLOR_BGR2GRAY);
        byte[] data = bytes(grey);
        return new Picture(photograph, colour.width, colour.height, 1,
            ByteBuffer.allocateDirect(data.length).put(data).flip());
    }

    /** Over a copy of the pixels. */
    Mat mat() {
        byte[] data = new byte[pixels.remaining()];
        pixels.get(0, data);
        Mat mat = new Mat(height, width, CvType.CV_8UC(channels));
        mat.put(0, 0, data);
        return mat;
    }

    static byte[] bytes(Mat mat) {
        byte[] data = new byte[Math.toIntExact(mat.total() * mat.elemSize())];
        mat.get(0, 0, data);
        return data;
    }

    /** The share of the bytes that differ by no more than so many grey levels. */
    static double agreement(byte[] expected, byte[] actual, int levels) {
        long agreeing = 0;
        for (int i = 0; i < expected.length; i++) {
            agreeing += Math.abs((expected[i] & 0xff) - (actual[i] & 0xff)) <= levels ? 1 : 0;
        }
        return (double) agreeing / expected.length;
    }
}
