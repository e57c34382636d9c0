package com.inaccel.coral.protocol;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.IntConsumer;

/**
 * A blocking Unix stream socket that carries descriptors.
 *
 * <p>The JDK's carries none, and closes itself when a thread that uses it is interrupted, which is how Spark kills a
 * task: that must not take the other tasks' connection with it.
 *
 * <p>One thread may receive while another sends. {@link #shutdown} may be called by any thread at any time and wakes both;
 * {@link #close} only when neither is inside, because the kernel gives the descriptor's number to the next opener.
 */
public final class UnixSocket implements AutoCloseable {
    /** Most descriptors that one call receives; a peer that passes more at once breaks the protocol. */
    static final int MAX_DESCRIPTORS = 16;
    /** Longest path of a socket in UTF-8; the kernel has room for one zero more. */
    public static final int MAX_PATH_BYTES = 107;

    private static final int FOR_EVER = -1;

    /** What the kernel vouches for about the process that connected. */
    public record Peer(int pid, int uid) { }

    private final int descriptor;
    private final Message outgoing = new Message();
    private final Message incoming = new Message();
    private final Input input;
    /** Whether waiting found something to receive. The receiving thread's. */
    private boolean ready;
    private boolean closed;

    private UnixSocket(int descriptor) {
        this.descriptor = descriptor;
        this.input = new Input(descriptor);
    }

    public static UnixSocket connect(Path path) throws IOException {
        byte[] address = addressOf(path);
        UnixSocket socket = new UnixSocket(newSocket());
        int result;
        do {
            result = LibC.connect(socket.descriptor, address, address.length);
        } while (result != 0 && LibC.errno() == LibC.EINTR);
        if (result != 0) {
            IOException failure = failure("connect");
            socket.close();
            throw failure;
        }
        return socket;
    }

    /** Listens on a new socket file, which everybody may connect to: the directory says who gets that far. */
    public static UnixSocket listen(Path path, int backlog) throws IOException {
        byte[] address = addressOf(path);
        UnixSocket socket = new UnixSocket(newSocket());
        try {
            check("bind", LibC.bind(socket.descriptor, address, address.length));
            // Before listen: until then nobody can connect.
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-rw-rw-"));
            check("listen", LibC.listen(socket.descriptor, backlog));
        } catch (IOException e) {
            socket.close();
            throw e;
        }
        return socket;
    }

    /** Waits for the next connection; fails once {@link #shutdown}. */
    public UnixSocket accept() throws IOException {
        int accepted;
        do {
            accepted = LibC.accept4(descriptor, Pointer.NULL, Pointer.NULL, LibC.SOCK_CLOEXEC);
        } while (accepted < 0 && LibC.errno() == LibC.EINTR);
        check("accept", accepted);
        return new UnixSocket(accepted);
    }

    public Peer peer() throws IOException {
        int[] credentials = new int[3]; // pid, uid, gid
        int[] length = {credentials.length * Integer.BYTES};
        check("getsockopt",
            LibC.getsockopt(descriptor, LibC.SOL_SOCKET, LibC.SO_PEERCRED, credentials, length));
        return new Peer(credentials[0], credentials[1]);
    }

    /**
     * Sends from the buffer's position and advances it.
     *
     * @param buffer direct
     * @param passed a descriptor that goes with the first byte and stays the caller's, or -1
     * @param wait whether to wait while the peer's queue is full
     * @return bytes sent: at least one, or 0 when it would have had to wait
     */
    int send(ByteBuffer buffer, int passed, boolean wait) throws IOException {
        outgoing.point(buffer);
        outgoing.putDescriptor(passed);
        int flags = LibC.MSG_NOSIGNAL | (wait ? 0 : LibC.MSG_DONTWAIT);
        long sent;
        do {
            sent = LibC.sendmsg(descriptor, outgoing.address, flags);
        } while (sent < 0 && LibC.errno() == LibC.EINTR);
        if (sent < 0) {
            if (!wait && LibC.errno() == LibC.EAGAIN) {
                return 0;
            }
            throw failure("send");
        }
        buffer.position(buffer.position() + (int) sent);
        return (int) sent;
    }

    /**
     * Waits for bytes, and advances the buffer's position behind them.
     *
     * @param buffer direct
     * @param descriptors takes each descriptor that came along, and owns it then
     * @return bytes received, or -1 when the peer has closed
     */
    int receive(ByteBuffer buffer, IntConsumer descriptors) throws IOException {
        incoming.point(buffer);
        incoming.expectDescriptors();
        long received = -1;
        while (received < 0) {
            // Waits first: mostly there is nothing yet, and whoever sends it may wait for this thread to sleep. And not in
            // recvmsg, which is woken also when the peer takes out what it was sent.
            if (ready || awaitInput(FOR_EVER)) {
                ready = false;
                received = LibC.recvmsg(descriptor, incoming.address, LibC.MSG_CMSG_CLOEXEC | LibC.MSG_DONTWAIT);
                if (received < 0 && LibC.errno() != LibC.EAGAIN && LibC.errno() != LibC.EINTR) {
                    throw failure("receive");
                }
            }
        }
        incoming.takeDescriptors(descriptors);
        if (received == 0) {
            return -1;
        }
        buffer.position(buffer.position() + (int) received);
        return (int) received;
    }

    /**
     * Waits until there is something to receive, or the peer has closed; false when neither happens in that time. For the
     * thread that receives.
     */
    boolean awaitInput(int millis) throws IOException {
        int found = LibC.poll(input.address, 1, millis);
        if (found < 0 && LibC.errno() != LibC.EINTR) {
            throw failure("poll");
        }
        ready = found > 0;
        return ready;
    }

    /** Ends both directions: whoever waits in this socket, here or at the peer, is woken. */
    public void shutdown() {
        synchronized (this) {
            if (!closed) {
                LibC.shutdown(descriptor, LibC.SHUT_RDWR); // fails only where the peer was first
            }
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            if (!closed) {
                closed = true;
                LibC.close(descriptor);
            }
        }
    }

    private static int newSocket() throws IOException {
        return check("socket", LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0));
    }

    /** {@code struct sockaddr_un}: the family in two bytes, then the path and a zero. */
    private static byte[] addressOf(Path path) throws SocketException {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        if (name.length == 0 || name.length > MAX_PATH_BYTES) {
            throw new SocketException("path of a socket is too long: path=" + path + ", bytes=" + name.length
                + ", limit=" + MAX_PATH_BYTES + "; use a shorter one");
        }
        ByteBuffer address = ByteBuffer.allocate(Short.BYTES + name.length + 1).order(ByteOrder.nativeOrder());
        return address.putShort((short) LibC.AF_UNIX).put(name).array();
    }

    private static int check(String call, int result) throws IOException {
        if (result < 0) {
            throw failure(call);
        }
        return result;
    }

    private static SocketException failure(String call) {
        int errno = LibC.errno();
        return new SocketException(call + ": " + LibC.strerror(errno));
    }

    /** A {@code struct pollfd} that asks for input: descriptor (4 bytes), events (2), what happened (2). */
    private static final class Input {
        private final ByteBuffer struct = ByteBuffer.allocateDirect(2 * Integer.BYTES).order(ByteOrder.nativeOrder());
        private final long address = Pointer.nativeValue(Native.getDirectBufferPointer(struct));

        Input(int descriptor) {
            struct.putInt(0, descriptor).putShort(Integer.BYTES, LibC.POLLIN);
        }
    }

    /**
     * A {@code struct msghdr} with one {@code struct iovec} and room for descriptors, as 64-bit Linux lays them out:
     * <pre>
     *  0 name, name length    16 iovec address     24 iovec count
     * 32 control address      40 control length    48 flags
     * 56 iovec: address, length
     * 72 control: length (8 bytes), level (4), type (4), descriptors (4 each)
     * </pre>
     */
    private static final class Message {
        private static final int IOVEC_POINTER_OFFSET = 16;
        private static final int IOVEC_COUNT_OFFSET = 24;
        private static final int CONTROL_POINTER_OFFSET = 32;
        private static final int CONTROL_LENGTH_OFFSET = 40;
        private static final int FLAGS_OFFSET = 48;
        private static final int IOVEC_OFFSET = 56;
        private static final int CONTROL_OFFSET = 72;
        private static final int CONTROL_HEADER_BYTES = 16;
        private static final int CONTROL_ALIGNMENT = 8;
        private static final int CONTROL_BYTES = CONTROL_HEADER_BYTES + MAX_DESCRIPTORS * Integer.BYTES;

        private final ByteBuffer struct =
            ByteBuffer.allocateDirect(CONTROL_OFFSET + CONTROL_BYTES).order(ByteOrder.nativeOrder());
        private final long address = Pointer.nativeValue(Native.getDirectBufferPointer(struct));
        /** Whose address the iovec holds: looking it up for each message would cost more than sending it. */
        private ByteBuffer pointed;
        private long pointedAddress;

        Message() {
            struct.putLong(IOVEC_POINTER_OFFSET, address + IOVEC_OFFSET);
            struct.putLong(IOVEC_COUNT_OFFSET, 1);
        }

        @SuppressWarnings("ReferenceEquality") // another buffer with the same content is elsewhere
        void point(ByteBuffer buffer) {
            if (buffer != pointed) {
                pointed = buffer;
                pointedAddress = Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
            }
            struct.putLong(IOVEC_OFFSET, pointedAddress + buffer.position());
            struct.putLong(IOVEC_OFFSET + Long.BYTES, buffer.remaining());
        }

        void putDescriptor(int descriptor) {
            if (descriptor < 0) {
                struct.putLong(CONTROL_POINTER_OFFSET, 0).putLong(CONTROL_LENGTH_OFFSET, 0);
                return;
            }
            struct.putLong(CONTROL_POINTER_OFFSET, address + CONTROL_OFFSET);
            struct.putLong(CONTROL_LENGTH_OFFSET, CONTROL_HEADER_BYTES + CONTROL_ALIGNMENT);
            struct.putLong(CONTROL_OFFSET, CONTROL_HEADER_BYTES + Integer.BYTES);
            struct.putInt(CONTROL_OFFSET + 8, LibC.SOL_SOCKET).putInt(CONTROL_OFFSET + 12, LibC.SCM_RIGHTS);
            struct.putInt(CONTROL_OFFSET + CONTROL_HEADER_BYTES, descriptor);
        }

        void expectDescriptors() {
            struct.putLong(CONTROL_POINTER_OFFSET, address + CONTROL_OFFSET);
            struct.putLong(CONTROL_LENGTH_OFFSET, CONTROL_BYTES);
        }

        /** The kernel passes descriptors in one control message, and drops those for which there is no room. */
        void takeDescriptors(IntConsumer descriptors) throws IOException {
            if (struct.getLong(CONTROL_LENGTH_OFFSET) >= CONTROL_HEADER_BYTES
                    && struct.getInt(CONTROL_OFFSET + 8) == LibC.SOL_SOCKET
                    && struct.getInt(CONTROL_OFFSET + 12) == LibC.SCM_RIGHTS) {
                int end = CONTROL_OFFSET + (int) struct.getLong(CONTROL_OFFSET);
                for (int offset = CONTROL_OFFSET + CONTROL_HEADER_BYTES; offset < end; offset += Integer.BYTES) {
                    descriptors.accept(struct.getInt(offset));
                }
            }
            if ((struct.getInt(FLAGS_OFFSET) & LibC.MSG_CTRUNC) != 0) {
                throw new FrameException("too many descriptors at once: limit=" + MAX_DESCRIPTORS);
            }
        }
    }
}
