package com.inaccel.coral.manager;

import com.inaccel.coral.protocol.Frame;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.SealedMemory;
import com.inaccel.coral.protocol.UnixSocket;
import com.inaccel.coral.protocol.Wire.Cancel;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.Hello;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** A client that can say anything, in any order. */
final class RawClient implements AutoCloseable {
    private final FrameChannel channel;

    RawClient(String address) throws IOException {
        channel = new FrameChannel(UnixSocket.connect(Path.of(address.substring("unix:".length()))), 16);
    }

    static RawClient greeted(String address) throws IOException {
        RawClient client = new RawClient(address);
        client.send(hello(FrameChannel.PROTOCOL_VERSION));
        if (!client.receive().orElseThrow().hasWelcome()) {
            throw new AssertionError("not welcome");
        }
        return client;
    }

    static ClientMessage.Builder hello(int version) {
        return ClientMessage.newBuilder().setHello(Hello.newBuilder().setVersion(version).setClient("test"));
    }

    static ClientMessage.Builder cancel(long correlation) {
        return ClientMessage.newBuilder().setCorrelation(correlation).setCancel(Cancel.getDefaultInstance());
    }

    void send(ClientMessage.Builder message) throws IOException {
        channel.send(Frame.of(message.build()));
    }

    void sendWithDescriptor(ClientMessage.Builder message, SealedMemory memory) throws IOException {
        channel.send(Frame.of(message.build(), memory));
    }

    /** Empty once the manager has hung up. */
    Optional<ManagerMessage> receive() {
        try {
            return channel.read(ManagerMessage.parser());
        } catch (IOException e) {
            return Optional.empty(); // hung up with something unread
        }
    }

    ManagerMessage ask(ClientMessage.Builder message) throws IOException {
        send(message);
        return receive().orElseThrow();
    }

    int takeDescriptor() throws IOException {
        return channel.takeDescriptor();
    }

    /** Wakes who sends or receives here. */
    void hangUp() {
        channel.shutdown();
    }

    @Override
    public void close() {
        channel.close();
    }
}
