package com.inaccel.coral.protocol;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A session with a node manager over its Unix socket.
 *
 * <p>Callers send on their own threads; one reader thread takes the answers in and completes the futures, so what is
 * chained to a future without an executor runs there and must not wait for this session. Devices and accelerators are
 * those of the moment of connecting.
 *
 * <p>When the connection breaks, what is outstanding fails with CONNECTION_LOST. The mappings of its segments stay until
 * {@link #close}: another thread may be writing to one.
 */
public final class SocketSession implements Session {
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration READER_EXIT_TIMEOUT = Duration.ofSeconds(5);
    /** A manager sends one with each answer to allocate; more than that many waiting means that it does not play fair. */
    private static final int MAX_WAITING_DESCRIPTORS = UnixSocket.MAX_DESCRIPTORS;
    private static final int MAX_CLIENT_NAME = 64;

    private final String address;
    private final FrameChannel channel;
    private final Thread reader;
    private final CompletableFuture<Wire.Welcome> welcome = new CompletableFuture<>();
    private final AtomicLong correlations = new AtomicLong();
    private final Map<Long, Outstanding> outstanding = new ConcurrentHashMap<>();
    private final Set<SocketSegment> segments = ConcurrentHashMap.newKeySet();
    /** Why nothing can be asked any more; null while open. */
    private final AtomicReference<CoralException> end = new AtomicReference<>();

    private SocketSession(Path socket, FrameChannel channel) {
        this.address = "unix:" + socket;
        this.channel = channel;
        this.reader = new Thread(this::readUntilEnd, "coral-session-reader " + address);
        reader.setDaemon(true);
    }

    /**
     * Connects to the manager that listens on the socket.
     *
     * @throws CoralException NO_MANAGER when nothing listens there, PROTOCOL_MISMATCH when what listens is no manager of
     *     this version
     */
    public static SocketSession connect(Path socket) {
        return connect(socket, HANDSHAKE_TIMEOUT);
    }

    static SocketSession connect(Path socket, Duration handshakeTimeout) {
        FrameChannel channel;
        try {
            channel = new FrameChannel(UnixSocket.connect(socket), MAX_WAITING_DESCRIPTORS);
        } catch (IOException e) {
            throw new CoralException(ErrorCode.NO_MANAGER, "no manager listens: address=unix:" + socket + ", cause="
                + e.getMessage() + "; start one with `./coral node`, or use embedded:", e);
        }
        SocketSession session = new SocketSession(socket, channel);
        session.reader.start();
        try {
            session.shakeHands(handshakeTimeout);
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
        return session;
    }

    @Override
    public Segment allocate(long bytes) {
        if (bytes < 1 || bytes > Segment.MAX_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a size of a segment: bytes=" + bytes + ", limit=" + Segment.MAX_BYTES + "; use several segments");
        }
        Allocation allocation = new Allocation(bytes);
        ask(ClientMessage.newBuilder().setAllocate(Wire.Allocate.newBuilder().setBytes(bytes)), allocation);
        return await(allocation);
    }

    @Override
    public CompletableFuture<Completion> submit(Request request) {
        Submission submission = new Submission();
        try {
            for (Argument argument : request.arguments()) {
                if (argument instanceof Argument.Slice slice) {
                    submission.hold(own(slice.segment()));
                }
            }
            ask(ClientMessage.newBuilder().setSubmit(RequestEncoding.encode(request)), submission);
        } catch (CoralException e) {
            submission.fail(e);
        }
        return submission;
    }

    @Override
    public Set<String> accelerators() {
        return Set.copyOf(welcome.join().getAcceleratorsList());
    }

    @Override
    public List<DeviceInfo> devices() {
        return welcome.join().getDevicesList().stream()
            .map(device -> new DeviceInfo(device.getId(), device.getVendor(), device.getPlatform(),
                device.getDescription(), device.getMemoryBytes(), device.getComputeUnits()))
            .toList();
    }

    @Override
    public String address() {
        return address;
    }

    @Override
    public boolean isOpen() {
        return end.get() == null;
    }

    @Override
    public void close() {
        end(new CoralException(ErrorCode.SESSION_CLOSED, "session was closed: address=" + address
            + "; close it after its last request"));
        awaitReader();
        for (SocketSegment segment : segments) {
            segment.close();
        }
    }

    /** Returns the bytes that are left of the segment, as the manager says. */
    long seal(SocketSegment segment, long usedBytes) {
        Acknowledgement sealed = new Acknowledgement(ManagerMessage.BodyCase.SEALED);
        ask(ClientMessage.newBuilder()
            .setSeal(Wire.Seal.newBuilder().setSegment(segment.id()).setUsedBytes(usedBytes)), sealed);
        return await(sealed).getSealed().getSizeBytes();
    }

    /** Does not wait: the manager frees in the order of messages, so a following allocation finds the memory free. */
    void free(SocketSegment segment) {
        segments.remove(segment);
        if (isOpen()) {
            free(segment.id());
        }
    }

    private void free(long segment) {
        ask(ClientMessage.newBuilder().setFree(Wire.Free.newBuilder().setSegment(segment)),
            new Acknowledgement(ManagerMessage.BodyCase.FREED));
    }

    /** The client's side of a segment of this session. */
    private SocketSegment own(Segment segment) {
        if (!(segment instanceof SocketSegment mine) || !mine.belongsTo(this)) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT, "segment belongs to another session: segment="
                + segment.id() + ", session=" + address + "; allocate it from the session that uses it");
        }
        return mine;
    }

    /** Sends a message; the answer, or the failure of the connection, goes to {@code answer}. */
    private void ask(ClientMessage.Builder message, Outstanding answer) {
        long correlation = correlations.incrementAndGet();
        answer.asked(correlation);
        Frame frame;
        try {
            frame = Frame.of(message.setCorrelation(correlation).build());
        } catch (IllegalArgumentException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, e.getMessage() + "; pass data in segments", e);
        }
        outstanding.put(correlation, answer);
        send(frame);
        // end() fails what it finds in the map after it has set the reason; this pairs with it for what came too late.
        CoralException ended = end.get();
        if (ended != null && outstanding.remove(correlation) != null) {
            answer.fail(ended);
        }
    }

    private void send(Frame frame) {
        try {
            channel.send(frame);
        } catch (IOException e) {
            end(connectionLost(e.getMessage(), e));
        }
    }

    private <T> T await(CompletableFuture<T> answer) {
        if (Thread.currentThread() == reader) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "would wait for itself: thread=" + reader.getName()
                + "; chain what waits for the session with the Async methods of the future");
        }
        try {
            return answer.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            answer.cancel(false);
            throw new CoralException(ErrorCode.CANCELLED, "interrupted while waiting for " + address, e);
        } catch (ExecutionException e) {
            CoralException cause = (CoralException) e.getCause(); // Outstanding.fail takes no other
            throw new CoralException(cause.code(), cause.getMessage(), cause);
        }
    }

    private void shakeHands(Duration timeout) {
        send(Frame.of(ClientMessage.newBuilder().setHello(Wire.Hello.newBuilder()
            .setVersion(FrameChannel.PROTOCOL_VERSION).setClient(clientName())).build()));
        try {
            welcome.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw mismatch("none within " + timeout.toMillis() + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CoralException(ErrorCode.CANCELLED, "interrupted while connecting to " + address, e);
        } catch (ExecutionException e) {
            CoralException cause = (CoralException) e.getCause();
            throw new CoralException(cause.code(), cause.getMessage(), cause);
        }
    }

    private static String clientName() {
        String command = System.getProperty("sun.java.command", "java").split(" ", 2)[0];
        return command.substring(0, Math.min(command.length(), MAX_CLIENT_NAME));
    }

    private CoralException mismatch(String managerVersion, Exception cause) {
        return new CoralException(ErrorCode.PROTOCOL_MISMATCH, "no manager of this version: address=" + address
            + ", clientVersion=" + FrameChannel.PROTOCOL_VERSION + ", managerVersion=" + managerVersion
            + "; use the same Coral version on both sides", cause);
    }

    private CoralException connectionLost(String why, Exception cause) {
        return new CoralException(ErrorCode.CONNECTION_LOST, "connection to the manager broke: address=" + address
            + ", cause=" + why + "; open a new session and submit again", cause);
    }

    private void readUntilEnd() {
        try (channel) {
            if (receiveWelcome()) {
                ManagerMessage message;
                while ((message = channel.read(ManagerMessage.parser()).orElse(null)) != null) {
                    dispatch(message);
                }
                end(connectionLost("closed by the manager", null));
            }
        } catch (IOException e) {
            end(connectionLost(e.getMessage(), e));
        }
    }

    private boolean receiveWelcome() {
        CoralException failure;
        try {
            ManagerMessage message = channel.read(ManagerMessage.parser()).orElse(null);
            if (message == null) {
                failure = mismatch("unknown (it closed the connection)", null);
            } else if (message.hasFailed()) {
                failure = failure(message.getFailed());
            } else if (!message.hasWelcome()) {
                failure = mismatch("unknown (it did not say)", null);
            } else if (message.getWelcome().getVersion() != FrameChannel.PROTOCOL_VERSION) {
                failure = mismatch(Integer.toUnsignedString(message.getWelcome().getVersion()), null);
            } else {
                welcome.complete(message.getWelcome());
                return true;
            }
        } catch (IOException e) {
            failure = mismatch("unknown (" + e.getMessage() + ")", e);
        }
        welcome.completeExceptionally(failure);
        end(failure);
        return false;
    }

    private void dispatch(ManagerMessage message) throws FrameException {
        Outstanding asked = outstanding.remove(message.getCorrelation());
        if (asked == null) {
            throw new FrameException("answer to nothing asked: correlation=" + message.getCorrelation());
        }
        try {
            if (message.getDescriptors() != (message.hasAllocated() ? 1 : 0)) {
                throw new FrameException("wrong count of descriptors: count=" + message.getDescriptors());
            }
            if (message.hasFailed()) {
                asked.fail(failure(message.getFailed()));
            } else {
                asked.answer(message);
            }
        } catch (FrameException e) {
            end(connectionLost(e.getMessage(), e)); // first, so that whoever sees the failure sees the session closed
            asked.fail(end.get());
            throw e;
        }
    }

    private static CoralException failure(Wire.Failed failed) {
        try {
            return new CoralException(ErrorCode.valueOf(failed.getCode()), failed.getMessage());
        } catch (IllegalArgumentException e) {
            return new CoralException(ErrorCode.INTERNAL,
                "manager failed with an unknown code: code=" + failed.getCode() + ", message=" + failed.getMessage());
        }
    }

    private void end(CoralException reason) {
        if (!end.compareAndSet(null, reason)) {
            return;
        }
        channel.shutdown();
        List.copyOf(outstanding.keySet()).forEach(correlation -> {
            Outstanding asked = outstanding.remove(correlation);
            if (asked != null) {
                asked.fail(reason);
            }
        });
    }

    /** The reader ends at once, unless something chained to a future keeps it; nothing that follows depends on it. */
    private void awaitReader() {
        if (Thread.currentThread() == reader) {
            return;
        }
        boolean interrupted = false;
        long deadline = System.nanoTime() + READER_EXIT_TIMEOUT.toNanos();
        for (long left; reader.isAlive() && (left = deadline - System.nanoTime()) > 0; ) {
            try {
                TimeUnit.NANOSECONDS.timedJoin(reader, left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Something asked of the manager and not answered yet. Exactly one of answer and fail is called, once. */
    private interface Outstanding {
        default void asked(long correlation) { }

        void answer(ManagerMessage message) throws FrameException;

        void fail(CoralException failure);
    }

    private static FrameException unexpected(ManagerMessage message) {
        return new FrameException("answer of another kind: body=" + message.getBodyCase());
    }

    private static final class Acknowledgement extends CompletableFuture<ManagerMessage> implements Outstanding {
        private final ManagerMessage.BodyCase expected;

        Acknowledgement(ManagerMessage.BodyCase expected) {
            this.expected = expected;
        }

        @Override
        public void answer(ManagerMessage message) throws FrameException {
            if (message.getBodyCase() != expected) {
                throw unexpected(message);
            }
            complete(message);
        }

        @Override
        public void fail(CoralException failure) {
            completeExceptionally(failure);
        }
    }

    private final class Allocation extends CompletableFuture<SocketSegment> implements Outstanding {
        private final long bytes;

        Allocation(long bytes) {
            this.bytes = bytes;
        }

        @Override
        public void answer(ManagerMessage message) throws FrameException {
            if (!message.hasAllocated()) {
                throw unexpected(message);
            }
            int descriptor = channel.takeDescriptor();
            long id = message.getAllocated().getSegment();
            long sizeBytes = message.getAllocated().getSizeBytes();
            SealedMemory memory;
            try {
                memory = SealedMemory.adopt(descriptor, sizeBytes);
            } catch (CoralException e) {
                if (e.code() != ErrorCode.SHARED_MEMORY_EXHAUSTED) {
                    throw new FrameException(e.getMessage());
                }
                free(id);
                fail(e);
                return;
            }
            SocketSegment segment = new SocketSegment(SocketSession.this, id, memory);
            segments.add(segment);
            if (sizeBytes < bytes) {
                segment.close();
                throw new FrameException("segment is too small: sizeBytes=" + sizeBytes + ", asked=" + bytes);
            }
            if (!complete(segment)) {
                segment.close(); // whoever asked was interrupted
            }
        }

        @Override
        public void fail(CoralException failure) {
            completeExceptionally(failure);
        }
    }

    /** A request's future, which keeps the mappings of its segments until the manager says that it has ended. */
    private final class Submission extends CompletableFuture<Completion> implements Outstanding {
        private final List<SocketSegment> held = new ArrayList<>();
        private long correlation;

        void hold(SocketSegment segment) {
            segment.retain();
            held.add(segment);
        }

        @Override
        public void asked(long correlation) {
            this.correlation = correlation;
        }

        @Override
        public void answer(ManagerMessage message) throws FrameException {
            if (!message.hasDone()) {
                throw unexpected(message);
            }
            Wire.Done done = message.getDone();
            releaseHeld();
            complete(new Completion(done.getDevice(), done.getQueueNanos(), done.getTransferNanos(),
                done.getRunNanos()));
        }

        @Override
        public void fail(CoralException failure) {
            releaseHeld();
            completeExceptionally(failure);
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            boolean cancelled = super.cancel(mayInterruptIfRunning);
            if (cancelled && outstanding.containsKey(correlation)) {
                send(Frame.of(ClientMessage.newBuilder().setCorrelation(correlation)
                    .setCancel(Wire.Cancel.getDefaultInstance()).build()));
            }
            return cancelled;
        }

        private void releaseHeld() {
            held.forEach(SocketSegment::release);
            held.clear();
        }
    }
}
