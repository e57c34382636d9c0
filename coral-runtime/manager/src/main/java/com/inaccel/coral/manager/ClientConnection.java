package com.inaccel.coral.manager;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.engine.EngineSegment;
import com.inaccel.coral.engine.EngineSession;
import com.inaccel.coral.protocol.Frame;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.FrameException;
import com.inaccel.coral.protocol.Wire;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client: reads its messages, hands them to its engine session, sends the answers. Believes nothing that it reads.
 *
 * <p>{@link #run} is the reader thread; answers to requests are sent by the devices' threads through the {@link Outbox}.
 * However the connection ends, the engine session is closed with it: requests cancelled, segments freed.
 */
final class ClientConnection implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(ClientConnection.class);
    private static final int MAX_ARGUMENTS = 256;
    private static final int MAX_ACCELERATOR_NAME = 256;
    private static final int MAX_CLIENT_NAME = 64;
    /** Of a failure's message: it may quote what the client sent. */
    private static final int MAX_MESSAGE = 1024;

    private final AllocationServer server;
    private final String client;
    private final FrameChannel channel;
    private final Outbox outbox;
    /** The reader thread's own. */
    private final Map<Long, EngineSegment> segments = new HashMap<>();
    private final Map<Long, CompletableFuture<Completion>> requests = new ConcurrentHashMap<>();
    /** Requests whose answer has not been sent: no less than {@link #requests}. */
    private final AtomicInteger unanswered = new AtomicInteger();
    private volatile boolean greeted;
    private EngineSession session;
    /** As it calls itself. */
    private String name = "";

    /** Owns the channel. */
    ClientConnection(AllocationServer server, String client, FrameChannel channel) {
        this.server = server;
        this.client = client;
        this.channel = channel;
        this.outbox = new Outbox(client, channel);
    }

    @Override
    public void run() {
        try (channel; outbox) {
            if (isOfThisVersion(hello())) {
                serve();
            }
        } catch (FrameException e) {
            LOG.warn("client breaks the protocol, disconnecting: client={}, cause={}", client, e.getMessage());
            server.tell(Event.Kind.CLIENT_MISBEHAVED, this, e.getMessage());
        } catch (IOException e) {
            LOG.debug("connection broke: client={}, cause={}", client, e.getMessage());
        } catch (RuntimeException e) {
            LOG.error("connection failed: client={}", client, e);
        }
    }

    int outstandingRequests() {
        return unanswered.get();
    }

    /** Ends the connection: the reader thread wakes up and cleans up. */
    void disconnect() {
        channel.shutdown();
    }

    void disconnectUnlessGreeted() {
        if (!greeted) {
            LOG.warn("client does not say hello, disconnecting: client={}, limit={}", client,
                server.limits().handshakeTimeout());
            server.tell(Event.Kind.CLIENT_REFUSED, this, "said no hello in " + server.limits().handshakeTimeout());
            disconnect();
        }
    }

    /** Closes what was never run. */
    void abandon() {
        channel.close();
    }

    /** Refuses a client that has not been served at all. */
    void refuse(CoralException reason) {
        try (channel; outbox) {
            answer(0, failed(reason));
        }
    }

    /** Empty when nothing came: somebody looked whether a manager is there. */
    private Optional<Wire.Hello> hello() throws IOException {
        ClientMessage message = channel.read(ClientMessage.parser()).orElse(null);
        if (message == null) {
            return Optional.empty();
        }
        if (!message.hasHello()) {
            throw new FrameException("first message is not hello: body=" + message.getBodyCase());
        }
        greeted = true;
        return Optional.of(message.getHello());
    }

    private boolean isOfThisVersion(Optional<Wire.Hello> hello) {
        if (hello.isEmpty()) {
            return false;
        }
        int version = hello.get().getVersion();
        if (version != FrameChannel.PROTOCOL_VERSION) {
            LOG.warn("client speaks another version: client={}, clientVersion={}, managerVersion={}", client,
                Integer.toUnsignedString(version), FrameChannel.PROTOCOL_VERSION);
            server.tell(Event.Kind.CLIENT_REFUSED, this, "speaks another version: client="
                + Integer.toUnsignedString(version) + ", manager=" + FrameChannel.PROTOCOL_VERSION);
            answer(0, ManagerMessage.newBuilder().setWelcome(
                Wire.Welcome.newBuilder().setVersion(FrameChannel.PROTOCOL_VERSION)));
            return false;
        }
        String given = hello.get().getClient();
        name = given.substring(0, Math.min(given.length(), MAX_CLIENT_NAME)).replaceAll("\\p{Cntrl}", "?");
        return true;
    }

    private void serve() throws IOException {
        try {
            session = server.engine().open(server.allocation());
            server.tell(Event.Kind.CLIENT_CONNECTED, this, name);
        } catch (CoralException e) {
            answer(0, failed(e));
            return;
        }
        try {
            answer(0, welcome());
            ClientMessage message;
            while ((message = channel.read(ClientMessage.parser()).orElse(null)) != null) {
                server.awaitTurn();
                outbox.awaitRoom();
                handle(message);
            }
        } finally {
            channel.shutdown();
            session.close();
            server.tell(Event.Kind.CLIENT_DISCONNECTED, this, name);
        }
    }

    private ManagerMessage.Builder welcome() {
        Wire.Welcome.Builder welcome = Wire.Welcome.newBuilder()
            .setVersion(FrameChannel.PROTOCOL_VERSION)
            .addAllAccelerators(session.accelerators())
            .setInstance(server.engine().instance())
            .setMaxOutstandingRequests(server.limits().requestsPerConnection());
        for (DeviceInfo device : server.engine().devices()) {
            welcome.addDevices(encode(device));
        }
        return ManagerMessage.newBuilder().setWelcome(welcome);
    }

    private void handle(ClientMessage message) throws FrameException {
        long correlation = message.getCorrelation();
        if (message.getDescriptors() != (message.hasAttach() ? 1 : 0)) {
            throw new FrameException("wrong count of descriptors: count=" + Integer.toUnsignedString(
                message.getDescriptors()) + ", body=" + message.getBodyCase());
        }
        try {
            switch (message.getBodyCase()) {
                case ALLOCATE -> allocate(correlation, message.getAllocate());
                case SEAL -> seal(correlation, message.getSeal());
                case FREE -> free(correlation, message.getFree());
                case SUBMIT -> submit(correlation, message.getSubmit());
                case CANCEL -> cancel(correlation);
                case ATTACH -> attach(correlation, message.getAttach());
                case HELLO, BODY_NOT_SET -> throw new FrameException("unexpected message: body="
                    + message.getBodyCase());
            }
        } catch (CoralException e) {
            if (message.hasSubmit()) {
                server.requestRefused(e);
            }
            answer(correlation, failed(e));
        } catch (RuntimeException e) {
            LOG.error("message failed: client={}, body={}", client, message.getBodyCase(), e);
            answer(correlation, failed(e));
        }
    }

    private void allocate(long correlation, Wire.Allocate allocate) {
        EngineSegment segment = session.allocate(allocate.getBytes());
        try {
            ManagerMessage.Builder message = ManagerMessage.newBuilder().setCorrelation(correlation)
                .setDescriptors(1)
                .setAllocated(Wire.Allocated.newBuilder()
                    .setSegment(segment.id()).setSizeBytes(segment.sizeBytes()));
            Frame frame = Frame.of(message.build(), segment.memory());
            segments.put(segment.id(), segment);
            outbox.put(frame);
        } catch (RuntimeException e) {
            segment.close();
            throw e;
        }
    }

    private void attach(long correlation, Wire.Attach attach) throws FrameException {
        EngineSegment segment = session.attach(channel.takeDescriptor(), attach.getSizeBytes(),
            attach.getSealed() ? attach.getUsedBytes() : attach.getSizeBytes(), attach.getSealed());
        segments.put(segment.id(), segment);
        answer(correlation, ManagerMessage.newBuilder()
            .setAttached(Wire.Attached.newBuilder().setSegment(segment.id())));
    }

    private void seal(long correlation, Wire.Seal seal) {
        EngineSegment segment = segment(seal.getSegment());
        segment.seal(seal.getUsedBytes());
        answer(correlation, ManagerMessage.newBuilder()
            .setSealed(Wire.Sealed.newBuilder().setSizeBytes(segment.sizeBytes())));
    }

    private void free(long correlation, Wire.Free free) {
        segment(free.getSegment()).close();
        segments.remove(free.getSegment());
        answer(correlation, ManagerMessage.newBuilder().setFreed(Wire.Freed.getDefaultInstance()));
    }

    private void submit(long correlation, Wire.Submit submit) throws FrameException {
        if (requests.containsKey(correlation)) {
            throw new FrameException("two requests with one correlation: correlation=" + correlation);
        }
        int limit = server.limits().requestsPerConnection();
        if (requests.size() >= limit) {
            throw new CoralException(ErrorCode.QUEUE_FULL, "too many requests outstanding: outstanding="
                + requests.size() + ", limit=" + limit + "; submit again when some have ended");
        }
        if (server.isStopping()) {
            return; // unanswered: the client hands it to the next manager
        }
        Request request = decode(submit);
        // A client that waits for each answer is served without the detour over a lane's thread.
        CompletableFuture<Completion> future =
            requests.isEmpty() && !channel.hasInput() ? session.submitOrRun(request) : session.submit(request);
        requests.put(correlation, future);
        unanswered.incrementAndGet();
        future.whenComplete((completion, failure) -> {
            requests.remove(correlation); // before the answer, upon which the client may submit the next
            answer(correlation, failure == null ? done(completion) : failed(failure));
            unanswered.decrementAndGet();
            server.requestEnded();
        });
    }

    private void cancel(long correlation) {
        CompletableFuture<Completion> request = requests.get(correlation);
        if (request != null) {
            request.cancel(true);
        }
    }

    private Request decode(Wire.Submit submit) {
        if (submit.getAccelerator().length() > MAX_ACCELERATOR_NAME) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "name of an accelerator is too long: length="
                + submit.getAccelerator().length() + ", limit=" + MAX_ACCELERATOR_NAME);
        }
        if (submit.getArgumentsCount() > MAX_ARGUMENTS) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "too many arguments: arguments="
                + submit.getArgumentsCount() + ", limit=" + MAX_ARGUMENTS);
        }
        Request.Builder request = Request.of(submit.getAccelerator()).priority(submit.getPriority());
        if (submit.hasTimeoutNanos()) {
            request.timeout(Duration.ofNanos(submit.getTimeoutNanos()));
        }
        for (int i = 0; i < submit.getArgumentsCount(); i++) {
            request.arg(decode(i, submit.getArguments(i)));
        }
        return request.build();
    }

    private Argument decode(int index, Wire.Argument argument) {
        return switch (argument.getValueCase()) {
            case INT_VALUE -> new Argument.Int(argument.getIntValue());
            case LONG_VALUE -> new Argument.Long(argument.getLongValue());
            case FLOAT_VALUE -> new Argument.Float(argument.getFloatValue());
            case DOUBLE_VALUE -> new Argument.Double(argument.getDoubleValue());
            case SLICE -> new Argument.Slice(segment(argument.getSlice().getSegment()),
                argument.getSlice().getOffsetBytes(), argument.getSlice().getLengthBytes(),
                decode(index, argument.getSlice().getAccess()));
            case VALUE_NOT_SET -> throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "argument has no value: index=" + index);
        };
    }

    private static Argument.Access decode(int index, Wire.Access access) {
        return switch (access) {
            case READ -> Argument.Access.READ;
            case WRITE -> Argument.Access.WRITE;
            case READ_WRITE -> Argument.Access.READ_WRITE;
            case DECLARED -> Argument.Access.DECLARED;
            case ACCESS_UNSPECIFIED, UNRECOGNIZED -> throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "slice says not how it is accessed: index=" + index);
        };
    }

    private EngineSegment segment(long id) {
        EngineSegment segment = segments.get(id);
        if (segment == null) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT,
                "no such segment in this session: segment=" + id + "; use one that it allocated and has not closed");
        }
        return segment;
    }

    private void answer(long correlation, ManagerMessage.Builder message) {
        outbox.put(Frame.of(message.setCorrelation(correlation).build()));
    }

    private static ManagerMessage.Builder done(Completion completion) {
        return ManagerMessage.newBuilder().setDone(Wire.Done.newBuilder()
            .setDevice(completion.device())
            .setQueueNanos(completion.queueNanos())
            .setTransferNanos(completion.transferNanos())
            .setRunNanos(completion.runNanos()));
    }

    @Override
    public String toString() {
        return client;
    }

    private static ManagerMessage.Builder failed(Throwable failure) {
        Throwable cause = failure;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        ErrorCode code = ErrorCode.INTERNAL;
        String message = "manager failed: cause=" + cause + "; see its log";
        if (cause instanceof CoralException coral) {
            code = coral.code();
            message = coral.getMessage();
        } else if (cause instanceof CancellationException) {
            code = ErrorCode.CANCELLED;
            message = "request was cancelled";
        }
        return ManagerMessage.newBuilder().setFailed(Wire.Failed.newBuilder().setCode(code.name())
            .setMessage(message.substring(0, Math.min(message.length(), MAX_MESSAGE))));
    }

    private static Wire.Device.Builder encode(DeviceInfo device) {
        return Wire.Device.newBuilder()
            .setId(device.id())
            .setVendor(device.vendor())
            .setPlatform(device.platform())
            .setDescription(device.description())
            .setMemoryBytes(device.memoryBytes())
            .setComputeUnits(device.computeUnits())
            .setFallback(device.fallback());
    }
}
