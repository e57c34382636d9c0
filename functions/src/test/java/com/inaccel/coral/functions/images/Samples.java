package com.inaccel.coral.functions.images;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;

/** Images of all sorts, good and bad. */
final class Samples {
    private static final int IHDR_END = 33;

    private Samples() { }

    /** A light square on dark ground: its edges are where everybody expects them. */
    static BufferedImage square(int width, int height, int type) {
        BufferedImage image = new BufferedImage(width, height, type);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(new Color(220, 200, 180));
        graphics.fillRect(width / 4, height / 4, width / 2, height / 2);
        graphics.dispose();
        return image;
    }

    static byte[] encoded(BufferedImage image, String format) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            if (!ImageIO.write(image, format, bytes)) {
                throw new IllegalStateException("no writer: format=" + format);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static byte[] png() {
        return encoded(square(64, 48, BufferedImage.TYPE_3BYTE_BGR), "png");
    }

    static byte[] jpeg() {
        return encoded(square(64, 48, BufferedImage.TYPE_3BYTE_BGR), "jpg");
    }

    static byte[] tiff() {
        return encoded(square(64, 48, BufferedImage.TYPE_3BYTE_BGR), "tiff");
    }

    static byte[] resource(String name) {
        try (InputStream in = Samples.class.getResourceAsStream(name)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static byte[] truncated(byte[] whole) {
        return Arrays.copyOf(whole, whole.length / 2);
    }

    /** A few bytes that promise so many pixels. */
    static byte[] bomb(int width, int height) {
        byte[] png = png();
        ByteBuffer.wrap(png).putInt(16, width).putInt(20, height).putInt(29, crc(png, 12, 17));
        return png;
    }

    static byte[] animatedPng() {
        byte[] png = png();
        ByteBuffer chunk = ByteBuffer.allocate(20).putInt(8).put("acTL".getBytes(StandardCharsets.US_ASCII)).putInt(2).putInt(0);
        chunk.putInt(crc(chunk.array(), 4, 12));
        return ByteBuffer.allocate(png.length + chunk.capacity()).put(png, 0, IHDR_END).put(chunk.array())
            .put(png, IHDR_END, png.length - IHDR_END).array();
    }

    private static int crc(byte[] bytes, int from, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes, from, length);
        return (int) crc.getValue();
    }

    static byte[] pagesOfTiff() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
        try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
            writer.setOutput(out);
            writer.prepareWriteSequence(null);
            for (int page = 0; page < 3; page++) {
                writer.writeToSequence(new IIOImage(square(8, 8, BufferedImage.TYPE_BYTE_GRAY), null, null), null);
            }
            writer.endWriteSequence();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }

    /** Half of it cyan, half black, as image editors write it: inverted, and marked as Adobe's. */
    static byte[] cmykJpeg() {
        WritableRaster raster = Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 32, 32, 4, null);
        for (int y = 0; y < 32; y++) {
            for (int x = 0; x < 32; x++) {
                raster.setPixel(x, y, x < 16 ? new int[] {0, 255, 255, 255} : new int[] {255, 255, 255, 0});
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
            writer.setOutput(out);
            writer.write(new IIOImage(raster, null, null));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            writer.dispose();
        }
        byte[] plain = bytes.toByteArray();
        byte[] adobe = {(byte) 0xff, (byte) 0xee, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
        return ByteBuffer.allocate(plain.length + adobe.length).put(plain, 0, 2).put(adobe).put(plain, 2, plain.length - 2).array();
    }

    /** A ramp from black to white. */
    static BufferedImage deep() {
        BufferedImage image = new BufferedImage(256, 4, BufferedImage.TYPE_USHORT_GRAY);
        for (int y = 0; y < 4; y++) {
            for (int x = 0; x < 256; x++) {
                image.getRaster().setSample(x, y, 0, x * 257);
            }
        }
        return image;
    }

    static BufferedImage decoded(byte[] bytes) throws IOException {
        return ImageIO.read(new ByteArrayInputStream(bytes));
    }
}
