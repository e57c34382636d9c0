package com.inaccel.coral.protocol;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.MessageLite;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;

/** One message as it goes over the wire, and the descriptor that goes with it. Not thread-safe. */
public final class Frame implements AutoCloseable {
    /** Largest message in bytes. */
    public static final int MAX_BYTES = 1 << 20;
    static final int HEADER_BYTES = Integer.BYTES;

    final ByteBuffer bytes;
    /** Owned by this frame until it is sent, or -1. */
    int descriptor;

    private Frame(ByteBuffer bytes, int descriptor) {
        this.bytes = bytes;
        this.descriptor = descriptor;
    }

    /** @throws IllegalArgumentException when the message is larger than {@link #MAX_BYTES} */
    public static Frame of(MessageLite message) {
        int length = message.getSerializedSize();
        if (length > MAX_BYTES) {
            throw new IllegalArgumentException("message too large: bytes=" + length + ", limit=" + MAX_BYTES);
        }
        byte[] bytes = new byte[HEADER_BYTES + length];
        ByteBuffer.wrap(bytes).putInt(length);
        try {
            CodedOutputStream out = CodedOutputStream.newInstance(bytes, HEADER_BYTES, length);
            message.writeTo(out);
            out.checkNoSpaceLeft();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // an array does not fail
        }
        return new Frame(ByteBuffer.wrap(bytes), -1);
    }

    /**
     * With a duplicate of the memory's descriptor: the memory may be closed, and its descriptor's number be another
     * tenant's, by the time the frame leaves.
     */
    public static Frame of(MessageLite message, SealedMemory memory) {
        Frame frame = of(message);
        frame.descriptor = memory.duplicateDescriptor();
        return frame;
    }

    @Override
    public void close() {
        if (descriptor >= 0) {
            LibC.close(descriptor);
            descriptor = -1;
        }
    }
}
