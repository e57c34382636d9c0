package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.ImageOutputStream;

/**
 * Bytes to pixels and back, by ImageIO and TwelveMonkeys' readers. Whatever a stranger's bytes are, there is an image of at
 * most so many pixels, or a {@link FunctionException} that says what is wrong with them.
 *
 * <p>Pixels come as 8-bit grey or blue-green-red: 16 bits are rounded to 8, CMYK is converted, transparency is laid on white.
 */
final class ImageCodec {
    private static final float JPEG_QUALITY = 0.92f;
    private static final int PNG_CHUNKS_AT = 8;
    private static final int PNG_CHUNK_OVERHEAD = 12; // length, type, checksum
    private static final int ACTL = 0x6163544c;
    private static final int IDAT = 0x49444154;
    /** Of a decoded image and what is made of it: 8 bytes a pixel for the widest that is read, then 3 and 3 again, at most. */
    private static final long BYTES_A_PIXEL = 12;

    static {
        ImageIO.setUseCache(false); // all is in memory: no files
    }

    private final long pixelLimit;
    private final Budget budget;

    /** @param image 8 bits a channel, one channel or three; the lease is the caller's to close */
    record Decoded(BufferedImage image, Format format, Budget.Lease lease) implements AutoCloseable {
        @Override
        public void close() {
            lease.close();
        }
    }

    ImageCodec(long pixelLimit, Budget budget) {
        this.pixelLimit = pixelLimit;
        this.budget = budget;
    }

    /** @throws FunctionException EMPTY_OBJECT, UNSUPPORTED_FORMAT, ANIMATED_IMAGE, TOO_LARGE or BROKEN_IMAGE */
    Decoded decode(byte[] bytes) throws InterruptedException {
        if (bytes.length == 0) {
            throw new FunctionException(Problem.EMPTY_OBJECT, "no image in zero bytes: upload it again");
        }
        Format format = Format.of(bytes).orElseThrow(() -> new FunctionException(Problem.UNSUPPORTED_FORMAT,
            "not an image that is read here: bytes=" + bytes.length + ", firstBytes=" + Format.describe(bytes)
                + "; send PNG, JPEG, WebP or TIFF"));
        ImageReader reader = reader(format);
        try (ImageInputStream in = ImageIO.createImageInputStream(new ByteArrayInputStream(bytes))) {
            List<String> warnings = new ArrayList<>();
            reader.addIIOReadWarningListener((source, warning) -> warnings.add(warning));
            reader.setInput(in, false, true);
            requireSingle(reader, format, bytes);
            long pixels = pixels(reader);
            Budget.Lease lease = budget.acquire(pixels * BYTES_A_PIXEL);
            try {
                BufferedImage image = plain(read(reader));
                requireWhole(warnings, format, bytes);
                return new Decoded(image, format, lease);
            } catch (IOException | RuntimeException | Error e) {
                lease.close();
                throw e;
            }
        } catch (FunctionException e) {
            throw e;
        } catch (IOException | RuntimeException e) { // readers throw all sorts of the latter
            throw new FunctionException(Problem.BROKEN_IMAGE, "cannot be decoded: format=" + format.id() + ", bytes="
                + bytes.length + ", cause=" + e.getMessage() + "; upload it again", e);
        } finally {
            reader.dispose();
        }
    }

    private static ImageReader reader(Format format) {
        Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(format.id());
        if (!readers.hasNext()) {
            throw new IllegalStateException("no reader on the class path: format=" + format.id());
        }
        return readers.next();
    }

    private static void requireSingle(ImageReader reader, Format format, byte[] bytes) throws IOException {
        int images = reader.getNumImages(true);
        if (images > 1 || (format == Format.PNG && isAnimatedPng(bytes))) {
            throw new FunctionException(Problem.ANIMATED_IMAGE, "several images in one: format=" + format.id() + ", images="
                + Math.max(2, images) + "; send a single one");
        }
    }

    /** To the JDK such a file is its first image: here it must not pass for that. */
    private static boolean isAnimatedPng(byte[] bytes) {
        ByteBuffer chunks = ByteBuffer.wrap(bytes);
        int at = PNG_CHUNKS_AT;
        while (at >= 0 && at <= bytes.length - PNG_CHUNK_OVERHEAD) {
            int length = chunks.getInt(at);
            int type = chunks.getInt(at + Integer.BYTES);
            if (type == ACTL || type == IDAT || length < 0) {
                return type == ACTL;
            }
            at += length + PNG_CHUNK_OVERHEAD; // negative when it overflows
        }
        return false;
    }

    /** Before anything is decoded: a few bytes can stand for a terabyte. */
    private long pixels(ImageReader reader) throws IOException {
        int width = reader.getWidth(0);
        int height = reader.getHeight(0);
        if (width <= 0 || height <= 0) {
            throw new FunctionException(Problem.BROKEN_IMAGE, "no pixels: width=" + width + ", height=" + height);
        }
        long pixels = (long) width * height;
        if (pixels > pixelLimit) {
            throw new FunctionException(Problem.TOO_LARGE, "too many pixels: width=" + width + ", height=" + height
                + ", limitPixels=" + pixelLimit + "; send a smaller image");
        }
        return pixels;
    }

    private static BufferedImage read(ImageReader reader) throws IOException {
        ImageReadParam param = reader.getDefaultReadParam();
        return reader.read(0, param);
    }

    /** Readers of JPEG make up what is missing, and only warn of it. */
    private static void requireWhole(List<String> warnings, Format format, byte[] bytes) throws IOException {
        for (String warning : warnings) {
            if (warning.matches("(?is).*(premature|truncated|corrupt|unexpected end).*")) {
                throw new IOException(warning + " (bytes=" + bytes.length + ", format=" + format.id() + ")");
            }
        }
    }

    private static BufferedImage plain(BufferedImage image) {
        ColorModel model = image.getColorModel();
        boolean grey = model.getNumComponents() == 1 && model.getColorSpace().getType() == ColorSpace.TYPE_GRAY;
        if (image.getType() == BufferedImage.TYPE_BYTE_GRAY || image.getType() == BufferedImage.TYPE_3BYTE_BGR) {
            return image;
        }
        BufferedImage plain = new BufferedImage(image.getWidth(), image.getHeight(),
            grey ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_3BYTE_BGR);
        if (grey && image.getSampleModel().getDataType() == DataBuffer.TYPE_USHORT) {
            narrow(image.getRaster(), ((DataBufferByte) plain.getRaster().getDataBuffer()).getData());
            return plain;
        }
        Graphics2D graphics = plain.createGraphics();
        try {
            if (model.getTransparency() != Transparency.OPAQUE) {
                graphics.setColor(Color.WHITE);
                graphics.fillRect(0, 0, plain.getWidth(), plain.getHeight());
            }
            graphics.drawImage(image, 0, 0, null);
        } finally {
            graphics.dispose();
        }
        return plain;
    }

    /** By arithmetic: Java2D would take 16-bit grey for linear light, and brighten it. */
    private static void narrow(Raster raster, byte[] into) {
        int[] row = new int[raster.getWidth()];
        for (int y = 0; y < raster.getHeight(); y++) {
            raster.getSamples(raster.getMinX(), raster.getMinY() + y, row.length, 1, 0, row);
            for (int x = 0; x < row.length; x++) {
                into[y * row.length + x] = (byte) ((row[x] * 255L + 32_767) / 65_535);
            }
        }
    }

    static byte[] encode(BufferedImage image, Format format) {
        ImageWriter writer = ImageIO.getImageWritersByFormatName(format.id()).next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ImageOutputStream out = ImageIO.createImageOutputStream(bytes)) {
            writer.setOutput(out);
            ImageWriteParam param = writer.getDefaultWriteParam();
            if (format == Format.JPEG) {
                param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
                param.setCompressionQuality(JPEG_QUALITY);
            } else if (format == Format.TIFF) {
                param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
                param.setCompressionType("Deflate");
            }
            writer.write(null, new IIOImage(image, null, null), param);
        } catch (IOException e) {
            throw new IllegalStateException("cannot encode: format=" + format.id(), e);
        } finally {
            writer.dispose();
        }
        return bytes.toByteArray();
    }
}
