package com.inaccel.coral;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/** Encoded pictures, in the formats that {@link ImageIO} knows. */
final class ImageFiles {
    static final String PNG = "png";

    private ImageFiles() { }

    static BufferedImage read(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return read(in);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    /** The first picture. Its size is checked before its pixels are decoded. */
    static BufferedImage read(InputStream in) {
        try (ImageInputStream stream = ImageIO.createImageInputStream(in)) {
            Iterator<ImageReader> readers = ImageIO.getImageReaders(stream);
            if (!readers.hasNext()) {
                throw invalid("not a picture in a known format: formats=" + known(ImageIO.getReaderFormatNames())
                    + "; convert it, or add a plugin for ImageIO");
            }
            ImageReader reader = readers.next();
            try {
                reader.setInput(stream, /* seekForwardOnly= */ true, /* ignoreMetadata= */ true);
                Pixels.requireSize(reader.getWidth(0), reader.getHeight(0));
                return reader.read(0);
            } finally {
                reader.dispose();
            }
        } catch (IOException | IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "picture cannot be decoded: problem=" + e.getMessage()
                + "; pass a whole picture of a usual kind", e);
        }
    }

    /** The format that a file's name asks for. */
    static String format(Path file) {
        String name = String.valueOf(file.getFileName());
        String ending = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
        if (!ImageIO.getImageWritersByFormatName(ending).hasNext()) {
            throw invalid("not the name of a picture in a known format: file=" + name + ", formats="
                + known(ImageIO.getWriterFormatNames()) + "; end it with one of them");
        }
        return ending;
    }

    static void write(BufferedImage image, String format, Path file) {
        try (OutputStream out = Files.newOutputStream(file)) {
            write(image, format, out);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + file, e);
        }
    }

    static void write(BufferedImage image, String format, OutputStream out) {
        try {
            if (!ImageIO.write(image, format, out)) {
                throw invalid("format does not take such a picture: format=" + format + ", alpha="
                    + image.getColorModel().hasAlpha() + "; write " + PNG);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write a picture", e);
        }
    }

    static CompletableFuture<BufferedImage> reading(Supplier<BufferedImage> read) {
        return CompletableFuture.supplyAsync(read);
    }

    private static Set<String> known(String[] names) {
        Set<String> known = new TreeSet<>();
        Arrays.stream(names).map(name -> name.toLowerCase(Locale.ROOT)).forEach(known::add);
        return known;
    }

    private static CoralException invalid(String message) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, message);
    }
}
