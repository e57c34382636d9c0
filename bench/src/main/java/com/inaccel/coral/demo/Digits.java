package com.inaccel.coral.demo;

import java.io.DataInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;

/**
 * The 10,000 test digits of MNIST, shipped beside this class (see mnist/README.md), with their labels.
 *
 * <p>Format IDX: big-endian magic, one length a dimension, then unsigned bytes, the last dimension fastest.
 */
final class Digits {
    static final int SIDE = 28;
    static final int PIXELS = SIDE * SIDE;

    private static final int IMAGES_MAGIC = 0x00000803; // unsigned bytes, three dimensions
    private static final int LABELS_MAGIC = 0x00000801; // unsigned bytes, one dimension

    private final byte[] images;
    private final byte[] labels;

    private Digits(byte[] images, byte[] labels) {
        this.images = images;
        this.labels = labels;
    }

    /** Read at first use, once a JVM: 8 MB. */
    static Digits shared() {
        return Shared.DIGITS;
    }

    static Digits read() throws IOException {
        byte[] images = readIdx("mnist/t10k-images-idx3-ubyte.gz", IMAGES_MAGIC, SIDE, SIDE);
        byte[] labels = readIdx("mnist/t10k-labels-idx1-ubyte.gz", LABELS_MAGIC);
        if (images.length != labels.length * PIXELS) {
            throw new IOException("images and labels differ in number: images=" + images.length / PIXELS
                + ", labels=" + labels.length);
        }
        return new Digits(images, labels);
    }

    int count() {
        return labels.length;
    }

    int label(int digit) {
        return labels[digit];
    }

    /** Brightness 0..255 of a pixel; 0 outside the image, as all digits have a black border. */
    int pixel(int digit, int row, int column) {
        if (row < 0 || row >= SIDE || column < 0 || column >= SIDE) {
            return 0;
        }
        return images[digit * PIXELS + row * SIDE + column] & 0xFF;
    }

    /** The image moved down and right by so many pixels, row by row, as features. */
    double[] shifted(int digit, int down, int right) {
        double[] features = new double[PIXELS];
        for (int row = 0; row < SIDE; row++) {
            for (int column = 0; column < SIDE; column++) {
                features[row * SIDE + column] = pixel(digit, row - down, column - right);
            }
        }
        return features;
    }

    private static byte[] readIdx(String resource, int magic, int... itemShape) throws IOException {
        InputStream stream = Digits.class.getResourceAsStream(resource);
        if (stream == null) {
            throw new FileNotFoundException("not on the class path: resource=" + resource);
        }
        try (DataInputStream input = new DataInputStream(new GZIPInputStream(stream, 1 << 16))) {
            expect(resource, "magic", input.readInt(), magic);
            int length = input.readInt();
            for (int size : itemShape) {
                expect(resource, "size", input.readInt(), size);
                length = Math.multiplyExact(length, size);
            }
            byte[] items = new byte[length];
            input.readFully(items);
            expect(resource, "byteAfterEnd", input.read(), -1);
            return items;
        }
    }

    private static void expect(String resource, String field, int actual, int expected) throws IOException {
        if (actual != expected) {
            throw new IOException("malformed IDX file: resource=" + resource + ", " + field + "=" + actual
                + ", expected=" + expected);
        }
    }

    private static final class Shared {
        static final Digits DIGITS;

        static {
            try {
                DIGITS = read();
            } catch (IOException failure) {
                throw new ExceptionInInitializerError(failure);
            }
        }
    }
}
