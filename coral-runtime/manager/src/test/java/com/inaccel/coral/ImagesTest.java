package com.inaccel.coral;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.inaccel.coral.WarpAffine.Border;
import com.inaccel.coral.protocol.SealedMemory;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import javax.imageio.ImageIO;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Image operations as library calls, in this JVM's own engine. */
@Timeout(120)
class ImagesTest {
    private static final EdgeDetection SHARP = EdgeDetection.defaults().sigma(0).thresholds(100, 700);

    private Session session;
    private Images images;

    @BeforeEach
    void open() {
        System.setProperty("coral.devices", "host");
        session = Coral.open(Coral.EMBEDDED);
        images = new Images(session);
    }

    @AfterEach
    void nothingIsLeft() {
        images.close();
        session.close();
        Accelerators.close();
        System.clearProperty("coral.devices");
        assertThat(SealedMemory.liveCount()).as("segments left mapped").isZero();
    }

    /** Noise, with a weak line that crosses everything and is strong at its beginning only. */
    private static ByteBuffer picture(int width, int height, int channels) {
        Random random = new Random(width);
        ByteBuffer pixels = ByteBuffer.allocate(width * height * channels);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int line = x == width / 2 ? y < 3 ? 250 : 90 : 0;
                for (int c = 0; c < channels; c++) {
                    pixels.put((byte) Math.max(line, x % 40 < 20 ? random.nextInt(60) : 0));
                }
            }
        }
        return pixels.flip();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 1.4})
    void shouldFindTheSameEdgesInParts(double sigma) {
        EdgeDetection how = SHARP.sigma(sigma).thresholds(60, 300);
        ByteBuffer in = picture(120, 300, 3);
        ByteBuffer whole = ByteBuffer.allocate(120 * 300);
        ByteBuffer parts = ByteBuffer.allocate(120 * 300);
        assertThat(images.edgeDetection(in, 120, 300, 3, whole, how).requests()).isOne();
        try (Images small = new Images(session, /* partBytes= */ 20_000)) {
            assertThat(small.edgeDetection(in, 120, 300, 3, parts, how).requests()).isGreaterThan(5);
        }
        assertThat(parts).isEqualTo(whole);
        if (sigma == 0) {
            assertThat(whole.get(299 * 120 + 59) | whole.get(299 * 120 + 61)).as("the line's end").isNotZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Border.class)
    void shouldWarpTheSameInParts(Border border) {
        ByteBuffer in = picture(200, 150, 3);
        List<WarpAffine> maps = new ArrayList<>();
        for (AffineTransform map : List.of(AffineTransform.getRotateInstance(0.5, 100, 70),
                AffineTransform.getScaleInstance(2.3, 1.7), AffineTransform.getTranslateInstance(500, 3),
                AffineTransform.getQuadrantRotateInstance(1, 75, 75))) {
            maps.add(WarpAffine.of(map).border(border));
            maps.add(WarpAffine.of(map).border(border).nearest());
        }
        for (WarpAffine how : maps) {
            ByteBuffer whole = ByteBuffer.allocate(200 * 150 * 3);
            ByteBuffer parts = ByteBuffer.allocate(200 * 150 * 3);
            images.warpAffine(in, 200, 150, 3, whole, how);
            try (Images small = new Images(session, /* partBytes= */ border.code < 2 ? 80_000 : 150_000)) {
                assertThat(small.warpAffine(in, 200, 150, 3, parts, how).requests()).isGreaterThan(1);
            }
            assertThat(parts).isEqualTo(whole);
        }
    }

    @Test
    void shouldSayWhenABorderCannotBeCut() {
        try (Images small = new Images(session, /* partBytes= */ 1000)) {
            requireFailure(() -> small.warpAffine(picture(200, 150, 3), 200, 150, 3, ByteBuffer.allocate(200 * 150 * 3),
                WarpAffine.of(1, 0, 7, 0, 1, 7).border(Border.WRAP)), ErrorCode.DEVICE_MEMORY_EXHAUSTED, "border=WRAP",
                "limitBytes=1000");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_3BYTE_BGR, BufferedImage.TYPE_4BYTE_ABGR,
        BufferedImage.TYPE_INT_RGB, BufferedImage.TYPE_INT_ARGB, BufferedImage.TYPE_BYTE_INDEXED})
    void shouldKeepColoursOfImagesOfEveryKind(int type) {
        BufferedImage image = new BufferedImage(50, 40, type);
        for (int i = 0; i < 50 * 40; i++) {
            image.setRGB(i % 50, i / 50, 0x80000000 | i * 7919);
        }
        BufferedImage part = image.getSubimage(3, 5, 40, 30);
        BufferedImage moved = Accelerators.warpAffine(part, new double[] {1, 0, 2, 0, 1, 1});
        for (int y = 1; y < 30; y++) {
            for (int x = 2; x < 40; x++) {
                assertThat(moved.getRGB(x, y)).as("pixel %d, %d", x, y).isEqualTo(part.getRGB(x - 2, y - 1));
            }
        }
        BufferedImage bordered = Accelerators.warpAffine(part,
            WarpAffine.of(1, 0, 2, 0, 1, 1).value(type == BufferedImage.TYPE_BYTE_GRAY ? new int[] {255} : new int[] {255, 0, 9, 128}));
        int alpha = image.getColorModel().hasAlpha() ? 0x80000000 : 0xff000000;
        assertThat(bordered.getRGB(0, 0)).isEqualTo(type == BufferedImage.TYPE_BYTE_GRAY ? -1 : alpha | 0xff0009);
    }

    @Test
    void shouldProcessFilesAndStreams(@TempDir Path directory) throws IOException {
        BufferedImage image = new BufferedImage(60, 50, BufferedImage.TYPE_3BYTE_BGR);
        image.getGraphics().fillRect(10, 10, 30, 20);
        Path in = directory.resolve("in.png");
        ImageIO.write(image, "png", in.toFile());
        BufferedImage expected = Accelerators.edgeDetection(image);
        assertThat(countWhite(expected)).isBetween(90, 120);

        Run run = Accelerators.edgeDetection(in, directory.resolve("edges.png"));
        assertThat(run.devices()).containsExactly("host-0");
        assertThat(run.runNanos()).isPositive();
        assertThat(pixels(ImageIO.read(directory.resolve("edges.png").toFile()))).isEqualTo(pixels(expected));
        Accelerators.edgeDetectionAsync(in, directory.resolve("later.png"), EdgeDetection.defaults()).join();
        assertThat(pixels(ImageIO.read(directory.resolve("later.png").toFile()))).isEqualTo(pixels(expected));

        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Accelerators.edgeDetection(new ByteArrayInputStream(Files.readAllBytes(in)), out);
        assertThat(pixels(ImageIO.read(new ByteArrayInputStream(out.toByteArray())))).isEqualTo(pixels(expected));
        assertThat(pixels(Accelerators.edgeDetectionAsync(image).join())).isEqualTo(pixels(expected));

        WarpAffine how = WarpAffine.of(0.5, 0, 0, 0, 0.5, 0).size(30, 25);
        Accelerators.warpAffine(in, directory.resolve("half.jpg"), how);
        assertThat(ImageIO.read(directory.resolve("half.jpg").toFile()).getWidth()).isEqualTo(30);
        Accelerators.warpAffineAsync(in, directory.resolve("half.png"), how).join();
        assertThat(pixels(ImageIO.read(directory.resolve("half.png").toFile())))
            .isEqualTo(pixels(Accelerators.warpAffineAsync(image, how).join()));
    }

    @Test
    void shouldReuseSharedMemory() {
        ByteBuffer in = picture(100, 100, 1);
        ByteBuffer out = ByteBuffer.allocate(100 * 100);
        List<CompletableFuture<Run>> runs = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            images.edgeDetection(in, 100, 100, 1, out, SHARP);
        }
        assertThat(SealedMemory.liveCount()).isOne();
        for (int i = 0; i < 20; i++) {
            runs.add(images.edgeDetectionAsync(in, 100, 100, 1, ByteBuffer.allocate(100 * 100), SHARP));
        }
        runs.forEach(CompletableFuture::join);
        assertThat(SealedMemory.liveCount()).isLessThanOrEqualTo(20);
    }

    @Test
    void shouldOpenAnotherSessionWhenTheSharedOneIsGone() {
        BufferedImage image = new BufferedImage(20, 20, BufferedImage.TYPE_BYTE_GRAY);
        Accelerators.edgeDetection(image);
        Session first = Accelerators.session();
        first.close();
        Accelerators.edgeDetection(image);
        assertThat(Accelerators.session()).isNotSameAs(first);
    }

    @Test
    void shouldRefuseWhatCannotBeMeant(@TempDir Path directory) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(1000);
        requireInvalid(() -> EdgeDetection.defaults().thresholds(Double.NaN, 5), "low=NaN");
        requireInvalid(() -> EdgeDetection.defaults().thresholds(1, Double.POSITIVE_INFINITY), "high=Infinity");
        requireInvalid(() -> EdgeDetection.defaults().thresholds(6, 5), "low=6.0, high=5.0", "low <= high");
        requireInvalid(() -> EdgeDetection.defaults().thresholds(-1, 5), "low=-1.0");
        requireInvalid(() -> EdgeDetection.defaults().sigma(-0.1), "sigma=-0.1");
        requireInvalid(() -> EdgeDetection.defaults().sigma(5.1), "sigma=5.1", "most=5.0");
        requireInvalid(() -> WarpAffine.of(1, 2, 3), "coefficients=3");
        requireInvalid(() -> WarpAffine.of(1, 2, 3, 2, 4, 5), "cannot be inverted", "determinant=0.0");
        requireInvalid(() -> WarpAffine.of(1, 0, Double.NaN, 0, 1, 0), "NaN");
        requireInvalid(() -> WarpAffine.of(1, 0, Double.POSITIVE_INFINITY, 0, 1, 0), "Infinity");
        requireInvalid(() -> WarpAffine.of(1, 0, 0, 0, 1, 0).value(256), "value=[256]");
        requireInvalid(() -> WarpAffine.of(1, 0, 0, 0, 1, 0).size(0, 5), "width=0");
        requireInvalid(() -> WarpAffine.of(1, 0, 0, 0, 1, 0).size(100_000, 100_000), "pixels=10000000000", "limit=134217728");
        requireInvalid(() -> images.edgeDetection(buffer, 0, 10, 1, buffer, SHARP), "width=0");
        requireInvalid(() -> images.edgeDetection(buffer, 10, -10, 1, buffer, SHARP), "height=-10");
        requireInvalid(() -> images.edgeDetection(buffer, 10, 10, 5, buffer, SHARP), "channels=5");
        requireFailure(() -> images.edgeDetection(buffer, 100, 10, 3, buffer, SHARP), ErrorCode.OUT_OF_RANGE, "input buffer",
            "bytes=1000", "neededBytes=3000");
        requireFailure(() -> images.edgeDetection(buffer, 20, 10, 3, ByteBuffer.allocate(199), SHARP), ErrorCode.OUT_OF_RANGE,
            "output buffer", "neededBytes=200");
        BufferedImage image = new BufferedImage(20, 10, BufferedImage.TYPE_3BYTE_BGR);
        requireInvalid(() -> images.edgeDetection(image, image, SHARP), "channels of the output=3", "expected=1");
        requireInvalid(() -> images.edgeDetection(image, new BufferedImage(10, 10, BufferedImage.TYPE_BYTE_GRAY), SHARP),
            "width=10", "expected=20");
        Path text = Files.writeString(directory.resolve("no.png"), "no picture");
        requireInvalid(() -> Accelerators.edgeDetection(text, directory.resolve("out.png")), "not a picture", "png");
        ImageIO.write(image, "png", directory.resolve("in.png").toFile());
        requireInvalid(() -> Accelerators.edgeDetection(directory.resolve("in.png"), directory.resolve("out.xyz")), "file=out.xyz");
        byte[] whole = Files.readAllBytes(directory.resolve("in.png"));
        requireInvalid(() -> Accelerators.edgeDetection(new ByteArrayInputStream(whole, 0, whole.length - 30),
            new ByteArrayOutputStream()), "cannot be decoded");
        CompletableFuture<Run> failed = images.edgeDetectionAsync(buffer, 10, 10, 9, buffer, SHARP);
        assertThat(failed).isCompletedExceptionally();
    }

    private static int countWhite(BufferedImage image) {
        int white = 0;
        for (int pixel : pixels(image)) {
            white += pixel == -1 ? 1 : 0;
        }
        return white;
    }

    private static int[] pixels(BufferedImage image) {
        return image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    }

    private static void requireInvalid(ThrowingCallable call, String... fragments) {
        requireFailure(call, ErrorCode.INVALID_ARGUMENT, fragments);
    }

    static void requireFailure(ThrowingCallable call, ErrorCode code, String... fragments) {
        CoralException failure = catchThrowableOfType(call, CoralException.class);
        assertThat(failure).as("failure").isNotNull();
        assertThat(failure.code()).as(failure.getMessage()).isEqualTo(code);
        assertThat(failure.getMessage()).contains(fragments);
    }
}
