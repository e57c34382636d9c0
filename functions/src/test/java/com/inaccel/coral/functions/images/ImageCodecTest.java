package com.inaccel.coral.functions.images;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import com.inaccel.coral.functions.images.ImageCodec.Decoded;
import java.awt.image.BufferedImage;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ImageCodecTest {
    private static final long PIXELS = 1_000_000;

    private final Budget budget = new Budget("pixels", 100 << 20);
    private final ImageCodec codec = new ImageCodec(PIXELS, budget);

    @AfterEach
    void shouldGiveAllHeapBack() {
        assertThat(budget.isWhole()).isTrue();
    }

    @Test
    void shouldReadAndWriteWhatItSays() throws Exception {
        BufferedImage original = Samples.square(64, 48, BufferedImage.TYPE_3BYTE_BGR);
        for (Format format : new Format[] {Format.PNG, Format.TIFF, Format.JPEG}) {
            try (Decoded decoded = codec.decode(ImageCodec.encode(original, format))) {
                assertThat(decoded.format()).isEqualTo(format);
                assertThat(decoded.image().getType()).isEqualTo(BufferedImage.TYPE_3BYTE_BGR);
                assertThat(decoded.image().getRGB(32, 24) & 0xff).isBetween(176, 184);
                assertThat(decoded.image().getRGB(4, 4) & 0xff).isLessThan(4);
            }
        }
        try (Decoded decoded = codec.decode(Samples.resource("still.webp"))) {
            assertThat(decoded.format()).isEqualTo(Format.WEBP);
            assertThat(decoded.image().getWidth()).isEqualTo(96);
        }
    }

    @Test
    void shouldKeepGreyGrey() throws Exception {
        try (Decoded decoded = codec.decode(Samples.encoded(Samples.square(8, 8, BufferedImage.TYPE_BYTE_GRAY), "png"))) {
            assertThat(decoded.image().getType()).isEqualTo(BufferedImage.TYPE_BYTE_GRAY);
        }
    }

    @Test
    void shouldRoundSixteenBitsToEight() throws Exception {
        for (String format : new String[] {"png", "tiff"}) {
            try (Decoded decoded = codec.decode(Samples.encoded(Samples.deep(), format))) {
                assertThat(decoded.image().getType()).isEqualTo(BufferedImage.TYPE_BYTE_GRAY);
                for (int x = 0; x < 256; x++) {
                    assertThat(decoded.image().getRaster().getSample(x, 0, 0)).isEqualTo(x);
                }
            }
        }
    }

    @Test
    void shouldConvertCmyk() throws Exception {
        try (Decoded decoded = codec.decode(Samples.cmykJpeg())) {
            assertThat(decoded.image().getType()).isEqualTo(BufferedImage.TYPE_3BYTE_BGR);
            int cyan = decoded.image().getRGB(4, 16);
            int black = decoded.image().getRGB(28, 16);
            assertThat(cyan >> 16 & 0xff).isLessThan(100);
            assertThat(cyan & 0xff).isGreaterThan(150);
            assertThat(black & 0xff).isLessThan(80);
        }
    }

    @Test
    void shouldLayTransparencyOnWhite() throws Exception {
        try (Decoded decoded = codec.decode(Samples.encoded(new BufferedImage(2, 2, BufferedImage.TYPE_INT_ARGB), "png"))) {
            assertThat(decoded.image().getRGB(0, 0)).isEqualTo(0xffffffff);
        }
    }

    @Test
    void shouldSayWhatIsWrong() {
        assertProblem(new byte[0], Problem.EMPTY_OBJECT, "zero bytes");
        assertProblem("GIF89a and so on".getBytes(StandardCharsets.US_ASCII), Problem.UNSUPPORTED_FORMAT, "47494638");
        assertProblem("%PDF-1.7".getBytes(StandardCharsets.US_ASCII), Problem.UNSUPPORTED_FORMAT, "PNG, JPEG, WebP or TIFF");
        assertProblem(new byte[] {1}, Problem.UNSUPPORTED_FORMAT, "bytes=1");
        assertProblem(Samples.bomb(60_000, 60_000), Problem.TOO_LARGE, "limitPixels=1000000");
        assertProblem(Samples.bomb(0, 5), Problem.BROKEN_IMAGE, "");
        assertProblem(Samples.animatedPng(), Problem.ANIMATED_IMAGE, "png");
        assertProblem(Samples.pagesOfTiff(), Problem.ANIMATED_IMAGE, "images=3");
        assertProblem(Samples.resource("animated.webp"), Problem.ANIMATED_IMAGE, "webp");
    }

    @Test
    void shouldRefuseImagesThatAreCutOff() {
        assertProblem(Samples.truncated(Samples.png()), Problem.BROKEN_IMAGE, "png");
        assertProblem(Samples.truncated(Samples.jpeg()), Problem.BROKEN_IMAGE, "jpeg");
        assertProblem(Samples.truncated(Samples.tiff()), Problem.BROKEN_IMAGE, "tiff");
        assertProblem(Samples.truncated(Samples.resource("still.webp")), Problem.BROKEN_IMAGE, "webp");
        assertProblem(Arrays.copyOf(Samples.png(), 8), Problem.BROKEN_IMAGE, "png");
    }

    @Test
    void shouldSayWhereHeapIsTooSmall() {
        ImageCodec small = new ImageCodec(PIXELS, new Budget("pixels", 1 << 10));

        FunctionException thrown = catchThrowableOfType(() -> small.decode(Samples.png()), FunctionException.class);

        assertThat(thrown.problem()).isEqualTo(Problem.TOO_LARGE);
        assertThat(thrown).hasMessageContaining("limitBytes=1024").hasMessageContaining("-Xmx");
    }

    private void assertProblem(byte[] bytes, Problem problem, String message) {
        FunctionException thrown = catchThrowableOfType(() -> codec.decode(bytes).close(), FunctionException.class);
        assertThat(thrown).as(problem + " " + message).isNotNull().hasMessageContaining(message);
        assertThat(thrown.problem()).as(thrown.getMessage()).isEqualTo(problem);
    }
}
