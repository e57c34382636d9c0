package com.inaccel.coral.functions.images;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.Images;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.images.ImageCodec.Decoded;
import com.inaccel.coral.functions.images.Operation.Applied;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Decodes an image, has an accelerator work on it, and encodes what comes of it. Thread-safe. */
final class ImageProcessor {
    private final ImageCodec codec;
    private final Supplier<Images> accelerators;

    /** @param device that it ran on */
    record Result(Operation operation, byte[] bytes, Format format, String device, long deviceNanos) { }

    ImageProcessor(ImageCodec codec, Supplier<Images> accelerators) {
        this.codec = codec;
        this.accelerators = accelerators;
    }

    /**
     * One result for each operation.
     *
     * @param format of the results: keep, or one of them
     */
    List<Result> process(byte[] bytes, List<Operation> operations, String format, Stages stages) throws InterruptedException {
        List<Result> results = new ArrayList<>();
        try (Decoded decoded = codec.decode(bytes)) {
            stages.end("decode");
            Format as = Format.ofResult(format, decoded.format());
            for (Operation operation : operations) {
                Applied applied = operation.apply(accelerators.get(), decoded.image());
                stages.end("accelerate");
                stages.add("device", applied.deviceNanos());
                results.add(new Result(operation, ImageCodec.encode(applied.image(), as), as, applied.device(),
                    applied.deviceNanos()));
                stages.end("encode");
            }
        } catch (CoralException e) {
            throw FunctionException.of(e);
        }
        return results;
    }
}
