package com.inaccel.coral.protocol;

import com.google.protobuf.CodedInputStream;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;

/** A client that sends any bytes, and any descriptors beside them. One thread may send while another receives. */
public final class HostileSocket implements AutoCloseable {
    private static final int SHUT_WR = 1;
    private static final int MAX_BYTES = 1 << 17;
    private static final int MAX_DESCRIPTORS = 253; // the kernel's own limit
    private static final int HEADER = 56;
    private static final int IOVEC = 16;
    private static final int CONTROL = HEADER + IOVEC;
    private static final int STRUCT_BYTES = CONTROL + 16 + 4 * MAX_DESCRIPTORS + 8;

    private final int descriptor;
    private final Message outgoing = new Message();
    private final Message incoming = new Message();

    /** {@code struct msghdr}, an iovec and a control message, as in {@link UnixSocket}. One thread's. */
    private static final class Message {
        private final SealedMemory memory = SealedMemory.create("hostile-message", MAX_BYTES + STRUCT_BYTES);
        final ByteBuffer bytes = memory.buffer(0, MAX_BYTES);
        final ByteBuffer struct = memory.buffer(MAX_BYTES, STRUCT_BYTES);
        final long address = memory.address() + MAX_BYTES;
        private final long bytesAddress = memory.address();

        void point(int length, long controlLength) {
            struct.putLong(0, 0).putLong(8, 0).putLong(16, address + HEADER).putLong(24, 1);
            struct.putLong(32, controlLength == 0 ? 0 : address + CONTROL).putLong(40, controlLength).putLong(48, 0);
            struct.putLong(HEADER, bytesAddress).putLong(HEADER + 8, length);
        }

        void pass(int[] descriptors) {
            struct.putLong(CONTROL, 16 + 4L * descriptors.length);
            struct.putInt(CONTROL + 8, LibC.SOL_SOCKET).putInt(CONTROL + 12, LibC.SCM_RIGHTS);
            for (int i = 0; i < descriptors.length; i++) {
                struct.putInt(CONTROL + 16 + 4 * i, descriptors[i]);
            }
        }
    }

    public HostileSocket(Path path) throws IOException {
        byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
        byte[] socketAddress = ByteBuffer.allocate(3 + name.length).order(ByteOrder.nativeOrder())
            .putShort((short) LibC.AF_UNIX).put(name).array();
        descriptor = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
        if (LibC.connect(descriptor, socketAddress, socketAddress.length) != 0) {
            close();
            throw new IOException("cannot connect: path=" + path);
        }
    }

    public static byte[] frame(ClientMessage message) {
        byte[] body = message.toByteArray();
        return ByteBuffer.allocate(4 + body.length).putInt(body.length).put(body).array();
    }

    /** False once the manager has hung up. The descriptors stay the caller's. */
    public boolean send(byte[] data, int... descriptors) {
        int offset = 0;
        int[] passed = descriptors;
        while (offset < data.length) {
            int chunk = Math.min(data.length - offset, MAX_BYTES);
            outgoing.bytes.clear().put(data, offset, chunk);
            outgoing.point(chunk, passed.length == 0 ? 0 : 16 + (4 * passed.length + 7) / 8 * 8);
            outgoing.pass(passed);
            long sent = LibC.sendmsg(descriptor, outgoing.address, LibC.MSG_NOSIGNAL);
            if (sent < 0) {
                return false;
            }
            offset += (int) sent;
            passed = new int[0];
        }
        return true;
    }

    /** Drops descriptors that come along. Empty once the manager has hung up. */
    public Optional<ManagerMessage> receive() throws IOException {
        byte[] header = receive(4);
        byte[] body = header == null ? null : receive(ByteBuffer.wrap(header).getInt());
        return body == null ? Optional.empty()
            : Optional.of(ManagerMessage.parseFrom(CodedInputStream.newInstance(body)));
    }

    private byte[] receive(int length) {
        byte[] data = new byte[length];
        for (int offset = 0; offset < length; ) {
            incoming.point(Math.min(length - offset, MAX_BYTES), 0);
            long received = LibC.recvmsg(descriptor, incoming.address, 0);
            if (received <= 0) {
                return null;
            }
            incoming.bytes.get(0, data, offset, (int) received);
            offset += (int) received;
        }
        return data;
    }

    /** Says that no more comes: the manager handles what has come and hangs up then. */
    public void finish() {
        LibC.shutdown(descriptor, SHUT_WR);
    }

    @Override
    public void close() {
        LibC.close(descriptor);
        outgoing.memory.close();
        incoming.memory.close();
    }

    /** A memory file with any seals (1 seal, 2 shrink, 4 grow, 8 write, 16 future write), which the caller closes. */
    public static int memory(long bytes, int seals) {
        int memory = LibC.memfd_create("hostile", LibC.MFD_CLOEXEC | LibC.MFD_ALLOW_SEALING);
        LibC.ftruncate(memory, bytes);
        LibC.fcntl(memory, LibC.F_ADD_SEALS, seals);
        return memory;
    }

    public static int socket() {
        return LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
    }

    public static void close(int descriptor) {
        LibC.close(descriptor);
    }
}
