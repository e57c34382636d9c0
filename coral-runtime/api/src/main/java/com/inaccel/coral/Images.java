package com.inaccel.coral;

import com.inaccel.coral.imaging.Hysteresis;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * Image accelerators on a session of the caller's; {@link Accelerators} has the same on a session that all of the process share.
 * Thread-safe.
 *
 * <p>Each call copies the image into shared memory and the result out of it, once each. Shared memory is kept for later calls, up
 * to 256 MB, until {@link #close}. Images that are too large for the devices' memory go to them in parts; results are the same.
 *
 * <p>Images have up to 134,217,728 pixels, sides of up to 524,288. Raw buffers hold rows without padding, 1 to 4 interleaved
 * channels, from their position on; positions stay where they are.
 */
public final class Images implements AutoCloseable {
    private static final long IDLE_BYTES = 256L << 20;
    /** Of a device's memory: so that the next parts are copied there while one is worked on. */
    private static final int PARTS_ON_DEVICE = 4;

    private final PartRunner runner;
    private final long partBytes;

    /** The caller closes the session after this. */
    public Images(Session session) {
        this(session, session.devices().stream().mapToLong(DeviceInfo::memoryBytes).min().orElse(Long.MAX_VALUE)
            / PARTS_ON_DEVICE);
    }

    /** @param partBytes of device memory that a request may take */
    Images(Session session, long partBytes) {
        this.runner = new PartRunner(session, new SegmentPool(session, IDLE_BYTES));
        this.partBytes = Math.min(partBytes, Segment.MAX_BYTES);
    }

    /**
     * Finds edges: 255 where there is one, else 0.
     *
     * @param out of type {@link BufferedImage#TYPE_BYTE_GRAY} and the size of {@code in}
     * @throws CoralException INVALID_ARGUMENT for images of another kind, and whatever requests may end with
     */
    public Run edgeDetection(BufferedImage in, BufferedImage out, EdgeDetection how) {
        return runner.run(edges(Pixels.of(in), Pixels.of(out), how));
    }

    /** As {@link #edgeDetection(BufferedImage, BufferedImage, EdgeDetection)}; neither image may change until it is done. */
    public CompletableFuture<Run> edgeDetectionAsync(BufferedImage in, BufferedImage out, EdgeDetection how) {
        return runner.start(() -> edges(Pixels.of(in), Pixels.of(out), how));
    }

    /**
     * Finds edges in a raw buffer.
     *
     * @param out gets width × height bytes
     */
    public Run edgeDetection(ByteBuffer in, int width, int height, int channels, ByteBuffer out, EdgeDetection how) {
        return runner.run(edges(Pixels.of("input", in, width, height, channels), Pixels.of("output", out, width, height, 1), how));
    }

    /** As {@link #edgeDetection(ByteBuffer, int, int, int, ByteBuffer, EdgeDetection)}; leave the buffers alone until it is done. */
    public CompletableFuture<Run> edgeDetectionAsync(
            ByteBuffer in, int width, int height, int channels, ByteBuffer out, EdgeDetection how) {
        return runner.start(() -> edges(Pixels.of("input", in, width, height, channels),
            Pixels.of("output", out, width, height, 1), how));
    }

    /**
     * Maps an image.
     *
     * @param out with as many channels as {@code in}: both grey, both colour, or both colour with alpha; its size is the result's
     */
    public Run warpAffine(BufferedImage in, BufferedImage out, WarpAffine how) {
        return runner.run(warp(Pixels.of(in), Pixels.of(out), how));
    }

    /** As {@link #warpAffine(BufferedImage, BufferedImage, WarpAffine)}; neither image may change until it is done. */
    public CompletableFuture<Run> warpAffineAsync(BufferedImage in, BufferedImage out, WarpAffine how) {
        return runner.start(() -> warp(Pixels.of(in), Pixels.of(out), how));
    }

    /**
     * Maps an image in a raw buffer.
     *
     * @param out gets as many pixels as {@code how} says, by default as many as there are
     */
    public Run warpAffine(ByteBuffer in, int width, int height, int channels, ByteBuffer out, WarpAffine how) {
        return runner.run(warp(in, width, height, channels, out, how));
    }

    /** As {@link #warpAffine(ByteBuffer, int, int, int, ByteBuffer, WarpAffine)}; leave the buffers alone until it is done. */
    public CompletableFuture<Run> warpAffineAsync(
            ByteBuffer in, int width, int height, int channels, ByteBuffer out, WarpAffine how) {
        return runner.start(() -> warp(in, width, height, channels, out, how));
    }

    /** Gives the shared memory back. Calls that have not ended go on. Idempotent. */
    @Override
    public void close() {
        runner.close();
    }

    boolean isOpen() {
        return runner.isOpen();
    }

    /** A new image for {@link #edgeDetection(BufferedImage, BufferedImage, EdgeDetection)}. */
    static BufferedImage edgesOf(BufferedImage in) {
        Pixels.requireSize(in.getWidth(), in.getHeight());
        return new BufferedImage(in.getWidth(), in.getHeight(), BufferedImage.TYPE_BYTE_GRAY);
    }

    /** A new image for {@link #warpAffine(BufferedImage, BufferedImage, WarpAffine)}. */
    static BufferedImage warpedOf(BufferedImage in, WarpAffine how) {
        int type = switch (Pixels.of(in).channels) {
            case 1 -> BufferedImage.TYPE_BYTE_GRAY;
            case 3 -> BufferedImage.TYPE_3BYTE_BGR;
            default -> BufferedImage.TYPE_4BYTE_ABGR;
        };
        return new BufferedImage(how.width == 0 ? in.getWidth() : how.width, how.height == 0 ? in.getHeight() : how.height, type);
    }

    private PartRunner.Work edges(Pixels in, Pixels out, EdgeDetection how) {
        requireSame("width", in.width, out.width);
        requireSame("height", in.height, out.height);
        requireSame("channels of the output", 1, out.channels);
        long rowBytes = (long) in.width * (in.channels + 1) + in.width / 4; // with the device's scratch
        int rows = (int) Math.max(1, Math.min(in.height, partBytes / rowBytes - (partBytes / rowBytes < in.height
            ? 2 * how.halo() : 0)));
        if (rows == in.height) {
            return new PartRunner.Work(List.of(edgesPart(in, 0, rows, how, false,
                buffer -> out.copyFrom(buffer, 0, 0, out.width, out.height))), () -> { });
        }
        ByteBuffer map = ByteBuffer.allocate(in.width * in.height);
        List<ImagePart> parts = new ArrayList<>();
        for (int row = 0; row < in.height; row += rows) {
            int from = row;
            parts.add(edgesPart(in, row, Math.min(rows, in.height - row), how, true,
                buffer -> map.put(from * in.width, buffer, 0, buffer.capacity())));
        }
        return new PartRunner.Work(parts, () -> {
            Hysteresis hysteresis = new Hysteresis(map, in.width, in.height);
            for (int row = rows; row < in.height; row += rows) {
                hysteresis.join(row);
            }
            hysteresis.forgetWeak();
            out.copyFrom(map, 0, 0, out.width, out.height);
        });
    }

    private static ImagePart edgesPart(
            Pixels in, int row, int rows, EdgeDetection how, boolean leaveWeak, ImagePart.Copy collect) {
        int top = Math.max(0, row - how.halo());
        int bottom = Math.min(in.height, row + rows + how.halo());
        return new ImagePart((long) in.width * (bottom - top) * in.channels, (long) in.width * rows,
            buffer -> in.copyTo(buffer, 0, top, in.width, bottom - top), collect,
            (input, output) -> how.addTo(Request.of(how.accelerator()).arg(input).arg(output).arg(in.width).arg(bottom - top)
                .arg(in.channels).arg(row - top).arg(rows), leaveWeak).build());
    }

    private PartRunner.Work warp(ByteBuffer in, int width, int height, int channels, ByteBuffer out, WarpAffine how) {
        Pixels image = Pixels.of("input", in, width, height, channels);
        return warp(image, Pixels.of("output", out, how.width == 0 ? width : how.width,
            how.height == 0 ? height : how.height, channels), how);
    }

    private PartRunner.Work warp(Pixels in, Pixels out, WarpAffine how) {
        if (how.width != 0) {
            requireSame("width", how.width, out.width);
            requireSame("height", how.height, out.height);
        }
        requireSame("channels", in.channels, out.channels);
        return new PartRunner.Work(new WarpParts(in, out, how, partBytes).parts(), () -> { });
    }

    private static void requireSame(String what, int expected, int actual) {
        if (expected != actual) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "output does not fit: " + what + "=" + actual + ", expected="
                + expected + "; pass an output of the right kind and size");
        }
    }

    /** So that a failure to begin ends a future too. */
    static <T> CompletableFuture<T> future(Supplier<CompletableFuture<T>> start) {
        try {
            return start.get();
        } catch (CoralException e) {
            return CompletableFuture.failedFuture(e);
        }
    }
}
