package com.inaccel.coral.protocol;

import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** The manager's side of one connection, driven by the test's own thread: it can lie in every way. */
final class FakeManager implements AutoCloseable {
    static final long INSTANCE = 1;

    final Path path;
    private final UnixSocket listener;
    private UnixSocket socket;
    private FrameChannel channel;

    FakeManager(Path directory) throws IOException {
        path = directory.resolve("fake.sock");
        listener = UnixSocket.listen(path, 1);
    }

    void accept() throws IOException {
        socket = listener.accept();
        channel = new FrameChannel(socket, 1);
    }

    /** Accepts, and greets as a manager does. */
    void welcome(long instance) {
        try {
            accept();
            receive();
            send(ManagerMessage.newBuilder().setWelcome(
                Wire.Welcome.newBuilder().setVersion(FrameChannel.PROTOCOL_VERSION).addAccelerators("a.b")
                    .setInstance(instance)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    ClientMessage receive() throws IOException {
        return channel.read(ClientMessage.parser()).orElseThrow();
    }

    void send(ManagerMessage.Builder message) throws IOException {
        channel.send(Frame.of(message.build()));
    }

    void send(ManagerMessage.Builder message, SealedMemory memory) throws IOException {
        channel.send(Frame.of(message.build(), memory));
    }

    void sendRaw(byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        while (buffer.hasRemaining()) {
            socket.send(buffer, -1, true);
        }
    }

    int takeDescriptor() throws IOException {
        return channel.takeDescriptor();
    }

    void disconnect() {
        channel.close();
    }

    @Override
    public void close() {
        listener.close();
        if (channel != null) {
            channel.close();
        }
    }
}
