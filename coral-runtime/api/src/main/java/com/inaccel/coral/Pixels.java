package com.inaccel.coral;

import java.awt.image.BufferedImage;
import java.awt.image.ComponentSampleModel;
import java.awt.image.DataBufferByte;
import java.awt.image.WritableRaster;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The pixels of an image, wherever they lie: 8 bit, interleaved. Copies rectangles of them to and from segments, rows there
 * without padding.
 */
abstract class Pixels {
    static final int MAX_CHANNELS = 4;
    static final int MAX_PIXELS = 1 << 27;
    static final int MAX_SIDE = 1 << 19;

    final int width;
    final int height;
    final int channels;

    Pixels(int width, int height, int channels) {
        requireSize(width, height);
        if (channels < 1 || channels > MAX_CHANNELS) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a number of channels: channels=" + channels + ", least=1, most=" + MAX_CHANNELS);
        }
        this.width = width;
        this.height = height;
        this.channels = channels;
    }

    static void requireSize(int width, int height) {
        if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not an image's size: width=" + width + ", height=" + height
                + ", least=1, most=" + MAX_SIDE + "; cut or scale the image");
        }
        if ((long) width * height > MAX_PIXELS) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "image too large: width=" + width + ", height=" + height
                + ", pixels=" + (long) width * height + ", limit=" + MAX_PIXELS + "; cut or scale the image");
        }
    }

    long bytes() {
        return (long) width * height * channels;
    }

    /** Fills the buffer, from its start. */
    abstract void copyTo(ByteBuffer target, int x, int y, int columns, int rows);

    abstract void copyFrom(ByteBuffer source, int x, int y, int columns, int rows);

    /** A border's value, as the accelerator takes it. */
    abstract int packed(int[] value);

    /**
     * @param buffer rows without padding, from its position on
     * @throws CoralException OUT_OF_RANGE when it is too short
     */
    static Pixels of(String what, ByteBuffer buffer, int width, int height, int channels) {
        Pixels pixels = new OfBuffer(buffer.slice(), width, height, channels);
        if (buffer.remaining() < pixels.bytes()) {
            throw new CoralException(ErrorCode.OUT_OF_RANGE, what + " buffer too short: width=" + width + ", height=" + height
                + ", channels=" + channels + ", bytes=" + buffer.remaining() + ", neededBytes=" + pixels.bytes()
                + "; pass width x height x channels bytes");
        }
        return pixels;
    }

    /** In place where the image keeps bytes in order; else row by row through {@link BufferedImage#getRGB}. */
    static Pixels of(BufferedImage image) {
        int type = image.getType();
        boolean bytes = type == BufferedImage.TYPE_BYTE_GRAY || type == BufferedImage.TYPE_3BYTE_BGR
            || type == BufferedImage.TYPE_4BYTE_ABGR;
        return bytes ? new OfBytes(image) : new OfColors(image);
    }

    private static final class OfBuffer extends Pixels {
        private final ByteBuffer buffer;

        OfBuffer(ByteBuffer buffer, int width, int height, int channels) {
            super(width, height, channels);
            this.buffer = buffer;
        }

        @Override
        void copyTo(ByteBuffer target, int x, int y, int columns, int rows) {
            forRows(x, y, columns, rows, (inImage, inPart, length) -> target.put(inPart, buffer, inImage, length));
        }

        @Override
        void copyFrom(ByteBuffer source, int x, int y, int columns, int rows) {
            forRows(x, y, columns, rows, (inImage, inPart, length) -> buffer.put(inImage, source, inPart, length));
        }

        /** All at once where rows follow one another in both. */
        private void forRows(int x, int y, int columns, int rows, RowCopy copy) {
            if (columns == width) {
                copy.copy(y * width * channels, 0, rows * width * channels);
                return;
            }
            for (int row = 0; row < rows; row++) {
                copy.copy(((y + row) * width + x) * channels, row * columns * channels, columns * channels);
            }
        }

        @Override
        int packed(int[] value) {
            return value[0] | value[1] << 8 | value[2] << 16 | value[3] << 24;
        }
    }

    /** Positions and length in bytes. */
    private interface RowCopy {
        void copy(int inImage, int inPart, int length);
    }

    /** Grey; blue, green, red; or alpha, blue, green, red. */
    private static final class OfBytes extends Pixels {
        private final byte[] data;
        private final int stride;
        private final int first;

        OfBytes(BufferedImage image) {
            super(image.getWidth(), image.getHeight(), image.getRaster().getNumBands());
            WritableRaster raster = image.getRaster();
            ComponentSampleModel model = (ComponentSampleModel) raster.getSampleModel();
            data = ((DataBufferByte) raster.getDataBuffer()).getData();
            stride = model.getScanlineStride();
            int lowest = Arrays.stream(model.getBandOffsets()).min().getAsInt();
            first = raster.getDataBuffer().getOffset() + lowest - raster.getSampleModelTranslateY() * stride
                - raster.getSampleModelTranslateX() * channels;
        }

        @Override
        void copyTo(ByteBuffer target, int x, int y, int columns, int rows) {
            forRows(x, y, columns, rows, (inImage, inPart, length) -> target.put(inPart, data, inImage, length));
        }

        @Override
        void copyFrom(ByteBuffer source, int x, int y, int columns, int rows) {
            forRows(x, y, columns, rows, (inImage, inPart, length) -> source.get(inPart, data, inImage, length));
        }

        private void forRows(int x, int y, int columns, int rows, RowCopy copy) {
            int start = first + y * stride + x * channels;
            if (columns * channels == stride) {
                copy.copy(start, 0, rows * stride);
                return;
            }
            for (int row = 0; row < rows; row++) {
                copy.copy(start + row * stride, row * columns * channels, columns * channels);
            }
        }

        @Override
        int packed(int[] value) {
            return switch (channels) {
                case 1 -> value[0];
                case 3 -> value[2] | value[1] << 8 | value[0] << 16;
                default -> value[3] | value[2] << 8 | value[1] << 16 | value[0] << 24;
            };
        }
    }

    /** Of any type, as blue, green, red, with alpha before them where the image has it. */
    private static final class OfColors extends Pixels {
        private final BufferedImage image;

        OfColors(BufferedImage image) {
            super(image.getWidth(), image.getHeight(), image.getColorModel().hasAlpha() ? 4 : 3);
            this.image = image;
        }

        @Override
        void copyTo(ByteBuffer target, int x, int y, int columns, int rows) {
            int[] colors = new int[columns];
            byte[] line = new byte[columns * channels];
            for (int row = 0; row < rows; row++) {
                image.getRGB(x, y + row, columns, 1, colors, 0, columns);
                int at = 0;
                for (int color : colors) {
                    if (channels == MAX_CHANNELS) {
                        line[at++] = (byte) (color >> 24);
                    }
                    line[at++] = (byte) color;
                    line[at++] = (byte) (color >> 8);
                    line[at++] = (byte) (color >> 16);
                }
                target.put(row * line.length, line);
            }
        }

        @Override
        void copyFrom(ByteBuffer source, int x, int y, int columns, int rows) {
            int[] colors = new int[columns];
            byte[] line = new byte[columns * channels];
            for (int row = 0; row < rows; row++) {
                source.get(row * line.length, line);
                int at = 0;
                for (int column = 0; column < columns; column++) {
                    int alpha = channels == MAX_CHANNELS ? line[at++] & 0xff : 255;
                    colors[column] = alpha << 24 | (line[at] & 0xff) | (line[at + 1] & 0xff) << 8 | (line[at + 2] & 0xff) << 16;
                    at += 3;
                }
                image.setRGB(x, y + row, columns, 1, colors, 0, columns);
            }
        }

        @Override
        int packed(int[] value) {
            int color = value[2] | value[1] << 8 | value[0] << 16;
            return channels == MAX_CHANNELS ? value[3] | color << 8 : color;
        }
    }
}
