package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * One connection to one manager. Until {@link #start} its owner reads the answers itself; from then on its reader
 * does, whose thread closes it as its last act.
 */
final class ManagerConnection implements AutoCloseable {
    /** A manager sends one with each answer to allocate; more than that many waiting means that it does not play fair. */
    private static final int MAX_WAITING_DESCRIPTORS = UnixSocket.MAX_DESCRIPTORS;
    private static final int MAX_CLIENT_NAME = 64;

    private final String address;
    private final FrameChannel channel;
    private Wire.Welcome welcome;

    private ManagerConnection(String address, FrameChannel channel) {
        this.address = address;
        this.channel = channel;
    }

    /** @throws CoralException NO_MANAGER when nothing listens there */
    static ManagerConnection connect(Path socket) {
        try {
            return new ManagerConnection("unix:" + socket,
                new FrameChannel(UnixSocket.connect(socket), MAX_WAITING_DESCRIPTORS));
        } catch (IOException e) {
            throw new CoralException(ErrorCode.NO_MANAGER, "no manager listens: address=unix:" + socket + ", cause="
                + e.getMessage() + "; start one with `./coral node`, or use embedded:", e);
        }
    }

    /**
     * Says hello and waits for the welcome.
     *
     * @throws CoralException PROTOCOL_MISMATCH when there is none, or what the manager refuses with
     */
    void greet(Duration timeout) {
        ManagerMessage answer;
        try {
            answer = ask(Frame.of(ClientMessage.newBuilder().setHello(Wire.Hello.newBuilder()
                .setVersion(FrameChannel.PROTOCOL_VERSION).setClient(clientName())).build()), timeout);
        } catch (IOException e) {
            throw mismatch("unknown (" + e.getMessage() + ")", e);
        }
        if (answer.hasFailed()) {
            throw failure(answer.getFailed());
        }
        if (!answer.hasWelcome()) {
            throw mismatch("unknown (it did not say)", null);
        }
        welcome = answer.getWelcome();
    }

    boolean isOfThisVersion() {
        return welcome.getVersion() == FrameChannel.PROTOCOL_VERSION;
    }

    CoralException otherVersion() {
        return mismatch(Integer.toUnsignedString(welcome.getVersion()), null);
    }

    Wire.Welcome welcome() {
        return welcome;
    }

    /**
     * Hands a segment that another manager has minted to this one.
     *
     * @return its id here
     * @throws CoralException what the manager refuses it with
     */
    long attach(SocketSegment segment, Duration timeout) throws IOException {
        Wire.Attach.Builder attach = Wire.Attach.newBuilder()
            .setSizeBytes(segment.memory().sizeBytes()).setUsedBytes(segment.sizeBytes()).setSealed(segment.isSealed());
        ClientMessage message = ClientMessage.newBuilder().setDescriptors(1).setAttach(attach).build();
        ManagerMessage answer = ask(Frame.of(message, segment.memory()), timeout);
        if (answer.hasFailed()) {
            throw failure(answer.getFailed());
        }
        if (!answer.hasAttached()) {
            throw Outstanding.unexpected(answer);
        }
        return answer.getAttached().getSegment();
    }

    private ManagerMessage ask(Frame frame, Duration timeout) throws IOException {
        CompletableFuture<Void> patience = new CompletableFuture<Void>()
            .orTimeout(timeout.toNanos(), TimeUnit.NANOSECONDS);
        patience.whenComplete((done, late) -> {
            if (late != null) {
                channel.shutdown();
            }
        });
        try {
            IOException unsent = null;
            try {
                channel.send(frame);
            } catch (IOException e) {
                unsent = e; // a manager that refuses clients says so without listening first
            }
            Optional<ManagerMessage> answer = channel.read(ManagerMessage.parser());
            if (answer.isEmpty()) {
                throw new IOException("it closed the connection", unsent);
            }
            return answer.get();
        } catch (IOException e) {
            throw patience.isCompletedExceptionally()
                ? new IOException("no answer within " + timeout.toMillis() + " ms", e) : e;
        } finally {
            patience.complete(null);
        }
    }

    /** Gives the connection to a reader of its own, which passes the answers to the session. */
    AnswerReader start(SocketSession session) {
        AnswerReader reader = new AnswerReader(session, this, channel);
        try {
            reader.start();
        } catch (OutOfMemoryError e) {
            throw new CoralException(ErrorCode.INTERNAL, "no thread left to read the manager's answers: address="
                + address + "; give the process more threads", e);
        }
        return reader;
    }

    void send(Frame frame) throws IOException {
        channel.send(frame);
    }

    int takeDescriptor() throws FrameException {
        return channel.takeDescriptor();
    }

    /** Wakes whoever uses the connection, and makes it fail. */
    void shutdown() {
        channel.shutdown();
    }

    /** By its owner, while there is no reader. */
    @Override
    public void close() {
        channel.close();
    }

    static CoralException failure(Wire.Failed failed) {
        try {
            return new CoralException(ErrorCode.valueOf(failed.getCode()), failed.getMessage());
        } catch (IllegalArgumentException e) {
            return new CoralException(ErrorCode.INTERNAL,
                "manager failed with an unknown code: code=" + failed.getCode() + ", message=" + failed.getMessage());
        }
    }

    private CoralException mismatch(String managerVersion, Exception cause) {
        return new CoralException(ErrorCode.PROTOCOL_MISMATCH, "no manager of this version: address=" + address
            + ", clientVersion=" + FrameChannel.PROTOCOL_VERSION + ", managerVersion=" + managerVersion
            + "; use the same Coral version on both sides", cause);
    }

    private static String clientName() {
        String command = System.getProperty("sun.java.command", "java").split(" ", 2)[0];
        return command.substring(0, Math.min(command.length(), MAX_CLIENT_NAME));
    }
}
