package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The formats of images that are read here. No other reader of the JDK ever sees a stranger's bytes. */
enum Format {
    PNG("image/png", "png", true),
    JPEG("image/jpeg", "jpg", true),
    TIFF("image/tiff", "tiff", true),
    /** No pure-Java library writes it: results of such images are PNG. */
    WEBP("image/webp", "webp", false);

    private static final byte[] PNG_MAGIC = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    private static final byte[] JPEG_MAGIC = {(byte) 0xff, (byte) 0xd8, (byte) 0xff};
    private static final int FOURCC = 4;
    private static final int WEBP_AT = 8;

    private final String contentType;
    private final String extension;
    private final boolean written;

    Format(String contentType, String extension, boolean written) {
        this.contentType = contentType;
        this.extension = extension;
        this.written = written;
    }

    String contentType() {
        return contentType;
    }

    String extension() {
        return extension;
    }

    /** By ImageIO's name. */
    String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** What bytes begin like, whatever the object is named. */
    static Optional<Format> of(byte[] bytes) {
        if (startsWith(bytes, 0, PNG_MAGIC)) {
            return Optional.of(PNG);
        }
        if (startsWith(bytes, 0, JPEG_MAGIC)) {
            return Optional.of(JPEG);
        }
        if (startsWith(bytes, 0, ascii("RIFF")) && startsWith(bytes, WEBP_AT, ascii("WEBP"))) {
            return Optional.of(WEBP);
        }
        boolean tiff = startsWith(bytes, 0, new byte[] {'I', 'I', 42, 0}) || startsWith(bytes, 0, new byte[] {'M', 'M', 0, 42});
        return tiff ? Optional.of(TIFF) : Optional.empty();
    }

    /** The first bytes of something unknown, for a message. */
    static String describe(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < Math.min(FOURCC, bytes.length); i++) {
            text.append(String.format("%02x", bytes[i]));
        }
        return text.toString();
    }

    /** The format of the result, from what was asked for: {@code keep} or a format. */
    static Format ofResult(String asked, Format source) {
        if (asked.equals("keep")) {
            return source.written ? source : PNG;
        }
        return written(asked);
    }

    /** @throws FunctionException BAD_REQUEST where results cannot be written so */
    static void check(String asked) {
        if (!asked.equals("keep")) {
            written(asked);
        }
    }

    private static Format written(String asked) {
        return Arrays.stream(values()).filter(one -> one.written && one.id().equals(asked)).findFirst()
            .orElseThrow(() -> new FunctionException(Problem.BAD_REQUEST, "not a format of results: format=" + asked
                + "; keep, png, jpeg and tiff are. WebP is read but not written: no pure-Java library does"));
    }

    private static boolean startsWith(byte[] bytes, int from, byte[] magic) {
        return bytes.length >= from + magic.length && Arrays.equals(bytes, from, from + magic.length, magic, 0, magic.length);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
