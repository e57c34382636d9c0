package com.inaccel.coral.protocol;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Optional;

/**
 * Frames over one socket: a 4-byte big-endian length, then that many bytes of protobuf. Trusts nothing that it receives.
 *
 * <p>Reading and {@link #takeDescriptor} belong to one thread at a time; sending is serialised by this object.
 * {@link #shutdown} may come from anywhere and makes reader and senders fail; the last who reads closes.
 */
public final class FrameChannel implements AutoCloseable {
    /** Version of coral.proto; clients and managers of different versions refuse each other. */
    public static final int PROTOCOL_VERSION = 2;
    private static final int BUFFER_BYTES = 64 * 1024;

    private final UnixSocket socket;
    private final int maxDescriptors;
    private final ArrayDeque<Integer> descriptors = new ArrayDeque<>();
    /** Between calls of read it holds, from position to limit, what has been received and not been read. */
    private ByteBuffer in = ByteBuffer.allocateDirect(BUFFER_BYTES).limit(0);

    private final Object sending = new Object();
    private final ByteBuffer out = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private boolean closed;

    /**
     * Owns the socket.
     *
     * @param maxDescriptors how many received descriptors may wait to be taken; 0 where the peer has none to send
     */
    public FrameChannel(UnixSocket socket, int maxDescriptors) {
        this.socket = socket;
        this.maxDescriptors = maxDescriptors;
    }

    /**
     * Waits for the next message; empty when the peer has closed between two frames.
     *
     * @throws FrameException when the peer breaks the protocol
     */
    public <M extends MessageLite> Optional<M> read(Parser<M> parser) throws IOException {
        // One that came with a frame yet to be read has at least a byte of it before or behind it.
        if (!descriptors.isEmpty() && !in.hasRemaining()) {
            throw new FrameException("descriptors that belong to no frame: waiting=" + descriptors.size());
        }
        if (!fill(Frame.HEADER_BYTES)) {
            return Optional.empty();
        }
        int length = in.getInt(in.position());
        if (length < 0 || length > Frame.MAX_BYTES) {
            throw new FrameException("frame too large: bytes=" + Integer.toUnsignedString(length)
                + ", limit=" + Frame.MAX_BYTES);
        }
        int end = Frame.HEADER_BYTES + length;
        fill(end);
        ByteBuffer body = in.slice(in.position() + Frame.HEADER_BYTES, length);
        in.position(in.position() + end);
        try {
            M message = parser.parseFrom(CodedInputStream.newInstance(body));
            releaseLargeBuffer();
            return Optional.of(message);
        } catch (InvalidProtocolBufferException e) {
            throw new FrameException("frame is not a message of this protocol: bytes=" + length + ", cause="
                + e.getMessage());
        }
    }

    /** Waits for input, or for the end of it: false when there is none in that time. For the thread that reads. */
    boolean awaitInput(int millis) throws IOException {
        return in.hasRemaining() || socket.awaitInput(millis);
    }

    /** Whether more has been received than was read. For the thread that reads. */
    public boolean hasInput() {
        return in.hasRemaining();
    }

    /** The next received descriptor, which is the caller's then. */
    public int takeDescriptor() throws FrameException {
        Integer descriptor = descriptors.poll();
        if (descriptor == null) {
            throw new FrameException("descriptor is missing");
        }
        return descriptor;
    }

    /** Sends the whole frame, waiting for the peer where its queue is full, and closes the frame in any case. */
    public void send(Frame frame) throws IOException {
        try (frame) {
            synchronized (sending) {
                transfer(frame, true);
            }
        }
    }

    /** Sends as much as the peer's queue takes now: false when some of the frame is left for {@link #send}. */
    public boolean trySend(Frame frame) throws IOException {
        synchronized (sending) {
            return transfer(frame, false);
        }
    }

    public UnixSocket.Peer peer() throws IOException {
        return socket.peer();
    }

    /** Wakes the reader and the senders, which fail then. */
    public void shutdown() {
        socket.shutdown();
    }

    @Override
    public void close() {
        shutdown(); // before taking the lock, which a sender that waits for its peer holds
        synchronized (sending) {
            closed = true;
            socket.close();
        }
        while (!descriptors.isEmpty()) {
            LibC.close(descriptors.remove());
        }
    }

    private boolean transfer(Frame frame, boolean wait) throws IOException {
        while (frame.bytes.hasRemaining()) {
            if (closed) {
                throw new IOException("connection is closed");
            }
            int chunk = Math.min(frame.bytes.remaining(), out.capacity());
            out.clear().put(0, frame.bytes, frame.bytes.position(), chunk).limit(chunk);
            int sent = socket.send(out, frame.descriptor, wait);
            if (sent == 0) {
                return false;
            }
            frame.close(); // its descriptor went with the first byte
            frame.bytes.position(frame.bytes.position() + sent);
        }
        return true;
    }

    /** Receives until {@code bytes} are there; false when the peer closed before the first of them. */
    private boolean fill(int bytes) throws IOException {
        while (in.remaining() < bytes) {
            boolean none = !in.hasRemaining();
            makeRoom();
            int received;
            try {
                received = socket.receive(in, descriptors::add);
            } finally {
                in.flip();
            }
            if (descriptors.size() > maxDescriptors) {
                throw new FrameException("unexpected descriptors: waiting=" + descriptors.size() + ", limit="
                    + maxDescriptors);
            }
            if (received < 0) {
                if (none) {
                    return false;
                }
                throw new FrameException("peer closed inside a frame: receivedBytes=" + in.remaining());
            }
        }
        return true;
    }

    /** Ready to receive behind what is there. Grows only as bytes arrive: a length alone costs a liar's peer nothing. */
    private void makeRoom() {
        if (in.remaining() < in.capacity()) {
            in.compact();
        } else {
            int larger = Math.min(2 * in.capacity(), Frame.HEADER_BYTES + Frame.MAX_BYTES);
            in = ByteBuffer.allocateDirect(larger).put(in);
        }
    }

    private void releaseLargeBuffer() {
        if (in.capacity() > BUFFER_BYTES && in.remaining() <= BUFFER_BYTES) {
            in = ByteBuffer.allocateDirect(BUFFER_BYTES).put(in).flip();
        }
    }
}
