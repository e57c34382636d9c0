package com.inaccel.coral;

import java.nio.ByteBuffer;

/**
 * One request of an image operation: how much shared memory it takes, and what goes in and comes out.
 *
 * @param inputBytes at the start of its segment
 * @param outputBytes behind, on the next page
 */
record ImagePart(long inputBytes, long outputBytes, Copy fill, Copy collect, Requests request) {
    private static final long PAGE_BYTES = 4096;

    interface Copy {
        void copy(ByteBuffer buffer);
    }

    /** Adds the scalars to a request that has its slices. */
    interface Requests {
        Request of(Argument.Slice input, Argument.Slice output);
    }

    private long outputOffset() {
        return (inputBytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }

    long segmentBytes() {
        return outputOffset() + outputBytes;
    }

    Request fill(Segment segment) {
        fill.copy(segment.buffer(0, inputBytes));
        return request.of(new Argument.Slice(segment, 0, inputBytes, Argument.Access.READ),
            new Argument.Slice(segment, outputOffset(), outputBytes, Argument.Access.WRITE));
    }

    void collect(Segment segment) {
        collect.copy(segment.buffer(outputOffset(), outputBytes));
    }
}
