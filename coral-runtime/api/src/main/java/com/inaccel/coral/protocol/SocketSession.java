package com.inaccel.coral.protocol;

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
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A session with a node manager over its Unix socket.
 *
 * <p>Callers send on their own threads. An {@link AnswerReader}, on its own thread or on that of a caller who waits, takes
 * the answers in and completes the futures, so what is chained to a future without an executor runs there and must not
 * wait for this session.
 *
 * <p>When the connection breaks, a {@link Reconnection} looks for the manager's successor. What is asked meanwhile waits
 * for it, and what had been asked is asked again, except requests that a broken-off run may have spoiled the input of:
 * these fail with CONNECTION_LOST. When no successor comes in time the rest does too. The mappings of the segments stay
 * until {@link #close} either way: another thread may be writing to one.
 */
public final class SocketSession implements Session {
    /** How long a session looks for a new manager, unless told otherwise. */
    public static final Duration RECONNECT = Duration.ofSeconds(30);
    static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration THREAD_EXIT_TIMEOUT = Duration.ofSeconds(5);

    private final Path socket;
    private final String address;
    private final Duration reconnect;
    private final Map<Long, Outstanding<?>> outstanding = new ConcurrentHashMap<>();
    private final Set<SocketSegment> segments = ConcurrentHashMap.newKeySet();
    private final AtomicLong segmentIds = new AtomicLong();
    private volatile Wire.Welcome welcome;
    /** Why nothing can be asked any more; null while open. Written with the gate held. */
    private volatile CoralException end;

    /** Held while messages are sent, so that none falls between two connections. No future is completed under it. */
    private final Object gate = new Object();
    /** Guarded by the gate, like what follows: null while there is none. */
    private ManagerConnection connection;
    private Reconnection reconnection;
    /** Of the latest connection, and after that broke too: it releases the segments of what is lost with it. Read freely. */
    private volatile AnswerReader reader;
    private long correlations;

    private SocketSession(Path socket, Duration reconnect) {
        this.socket = socket;
        this.address = "unix:" + socket;
        this.reconnect = reconnect;
    }

    /**
     * Connects to the manager that listens on the socket.
     *
     * @param reconnect how long to look for another manager when this one goes; zero: not at all
     * @throws CoralException NO_MANAGER when nothing listens there, PROTOCOL_MISMATCH when what listens is no manager of
     *     this version
     */
    public static SocketSession connect(Path socket, Duration reconnect) {
        return connect(socket, reconnect, HANDSHAKE_TIMEOUT);
    }

    static SocketSession connect(Path socket, Duration reconnect, Duration handshakeTimeout) {
        ManagerConnection first = ManagerConnection.connect(socket);
        try {
            first.greet(handshakeTimeout);
            if (!first.isOfThisVersion()) {
                throw first.otherVersion();
            }
            SocketSession session = new SocketSession(socket, reconnect);
            synchronized (session.gate) {
                session.use(first);
            }
            return session;
        } catch (RuntimeException | Error e) {
            first.close();
            throw e;
        }
    }

    /** With the gate held. */
    private void use(ManagerConnection next) {
        reader = next.start(this);
        welcome = next.welcome();
        connection = next;
    }

    @Override
    public Segment allocate(long bytes) {
        if (bytes < 1 || bytes > Segment.MAX_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a size of a segment: bytes=" + bytes + ", limit=" + Segment.MAX_BYTES + "; use several segments");
        }
        return await(ask(new Allocation(bytes)));
    }

    @Override
    public CompletableFuture<Completion> submit(Request request) {
        Submission submission = new Submission(this, request);
        try {
            submission.holdSegments();
        } catch (CoralException e) {
            submission.fail(e);
            return submission;
        }
        return ask(submission);
    }

    @Override
    public Set<String> accelerators() {
        return Set.copyOf(welcome.getAcceleratorsList());
    }

    @Override
    public List<DeviceInfo> devices() {
        return welcome.getDevicesList().stream()
            .map(device -> new DeviceInfo(device.getId(), device.getVendor(), device.getPlatform(),
                device.getDescription(), device.getMemoryBytes(), device.getComputeUnits(),
                device.getFallback()))
            .toList();
    }

    @Override
    public String address() {
        return address;
    }

    Path socket() {
        return socket;
    }

    @Override
    public boolean isOpen() {
        return end == null;
    }

    @Override
    public void close() {
        end(new CoralException(ErrorCode.SESSION_CLOSED, "session was closed: address=" + address
            + "; close it after its last request"));
        AnswerReader lastReader = reader;
        if (!lastReader.isReading()) {
            awaitEnd(lastReader); // first: it may have yet to start the other
        }
        Thread reconnector;
        synchronized (gate) {
            reconnector = reconnection;
        }
        awaitEnd(reconnector);
        segments.forEach(SocketSegment::close);
    }

    void seal(SocketSegment segment, long usedBytes) {
        await(ask(new Outstanding.Seal(segment, usedBytes)));
    }

    /** Does not wait: the manager frees in the order of messages, so a following allocation finds the memory free. */
    void free(SocketSegment segment) {
        segments.remove(segment);
        synchronized (gate) {
            if (end == null && connection != null) {
                put(new Outstanding.Free(segment.idOn(connection)));
            } // else no manager has it, or it is freed when the next one has
        }
    }

    void cancel(Submission submission) {
        synchronized (gate) {
            if (connection != null && outstanding.containsKey(submission.correlation)) {
                send(ClientMessage.newBuilder().setCorrelation(submission.correlation)
                    .setCancel(Wire.Cancel.getDefaultInstance()));
            }
        }
    }

    /** The client's side of a segment of this session. */
    SocketSegment own(Segment segment) {
        if (!(segment instanceof SocketSegment mine) || !mine.belongsTo(this)) {
            throw new CoralException(ErrorCode.UNKNOWN_SEGMENT, "segment belongs to another session: segment="
                + segment.id() + ", session=" + address + "; allocate it from the session that uses it");
        }
        return mine;
    }

    private <T> Outstanding<T> ask(Outstanding<T> asked) {
        CoralException refusal;
        synchronized (gate) {
            refusal = end == null ? put(asked) : end;
        }
        if (refusal != null) {
            asked.fail(refusal);
        }
        return asked;
    }

    /** With the gate held. @return why it cannot be asked; else null */
    private CoralException put(Outstanding<?> asked) {
        asked.correlation = ++correlations;
        outstanding.put(asked.correlation, asked);
        return connection == null ? null : transmit(asked);
    }

    /** With the gate held, on a connection. @return why it cannot be asked; else null */
    private CoralException transmit(Outstanding<?> asked) {
        ClientMessage.Builder message = asked.message(connection).setCorrelation(asked.correlation);
        try {
            asked.sent = true;
            send(message);
            return null;
        } catch (IllegalArgumentException e) {
            outstanding.remove(asked.correlation);
            return new CoralException(ErrorCode.INVALID_ARGUMENT, e.getMessage() + "; pass data in segments", e);
        }
    }

    private void send(ClientMessage.Builder message) {
        Frame frame = Frame.of(message.build());
        try {
            connection.send(frame);
        } catch (IOException e) {
            connection.shutdown(); // its reader finds out, and what was to be sent is outstanding
        }
    }

    boolean awaitsNothing() {
        return outstanding.isEmpty();
    }

    /** By a thread that is about to wait for the answer: sees to it that somebody takes it in. */
    void awaitAnswer(CompletableFuture<?> answer) {
        if (answer.isDone() || Thread.currentThread().isInterrupted()) {
            return;
        }
        AnswerReader current = reader;
        if (current.isReading() || AnswerReader.isOf(this)) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "would wait for itself: thread="
                + Thread.currentThread().getName()
                + "; chain what waits for the session with the Async methods of the future");
        }
        current.readFor(answer);
    }

    private <T> T await(CompletableFuture<T> answer) {
        awaitAnswer(answer);
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

    CoralException connectionLost(String why, Exception cause) {
        return new CoralException(ErrorCode.CONNECTION_LOST, "connection to the manager broke: address=" + address
            + ", cause=" + why + "; open a new session and submit again", cause);
    }

    /** On the thread that reads from the connection. */
    void dispatch(ManagerMessage message, ManagerConnection from) {
        Outstanding<?> asked = outstanding.remove(message.getCorrelation());
        try {
            if (asked == null) {
                throw new FrameException("answer to nothing asked: correlation=" + message.getCorrelation());
            }
            if (message.getDescriptors() != (message.hasAllocated() ? 1 : 0)) {
                throw new FrameException("wrong count of descriptors: count=" + message.getDescriptors());
            }
            if (message.hasFailed()) {
                asked.fail(ManagerConnection.failure(message.getFailed()));
            } else {
                asked.answer(message, from);
            }
        } catch (FrameException e) {
            // No manager says such things; another one would be no better. The end comes first, so that whoever sees
            // the failure sees the session closed.
            end(connectionLost(e.getMessage(), e));
            if (asked != null) {
                asked.fail(end);
            }
        }
    }

    /** The connection's reader thread is about to end. */
    @SuppressWarnings("ReferenceEquality") // this very connection
    void broke(ManagerConnection broken, String cause) {
        if (reconnect.isZero()) {
            end(connectionLost(cause, null));
            return;
        }
        List<Outstanding<?>> lost;
        synchronized (gate) {
            if (end != null || connection != broken) {
                return;
            }
            connection = null;
            reconnection = new Reconnection(this, welcome.getInstance(), reconnect, cause);
            lost = removeWhatCannotBeRepeated();
        }
        fail(lost, connectionLost(cause + ", which may have broken the request off half-way", null));
        try {
            reconnection.start();
        } catch (OutOfMemoryError e) {
            end(connectionLost(cause + ", and no thread is left to look for another", null));
        }
    }

    /** With the gate held. */
    private List<Outstanding<?>> removeWhatCannotBeRepeated() {
        List<Submission> sent = new ArrayList<>();
        for (Outstanding<?> asked : inOrder()) {
            if (asked instanceof Submission submission && asked.sent) {
                sent.add(submission);
            }
        }
        List<Outstanding<?>> lost = new ArrayList<>();
        for (int i = 0; i < sent.size(); i++) {
            Submission submission = sent.get(i);
            // A later one may have been done already, and its answer be lost.
            if (submission.updatesInPlace()
                    || sent.subList(i + 1, sent.size()).stream().anyMatch(later -> later.overwritesInputOf(submission))) {
                outstanding.remove(submission.correlation);
                lost.add(submission);
            }
        }
        return lost;
    }

    private List<Outstanding<?>> inOrder() {
        List<Outstanding<?>> all = new ArrayList<>(outstanding.values());
        all.sort(Comparator.comparingLong(asked -> asked.correlation));
        return all;
    }

    /** What the next manager has to map: segments in use, and closed ones that outstanding requests use. */
    Set<SocketSegment> segmentsInUse() {
        Set<SocketSegment> used = ConcurrentHashMap.newKeySet();
        used.addAll(segments);
        outstanding.values().forEach(asked -> {
            if (asked instanceof Submission submission && !submission.isMoot()) {
                used.addAll(submission.segments());
            }
        });
        return used;
    }

    /**
     * Goes on with another manager, to which the segments have been attached.
     *
     * @return false when the session has been closed: the connection is the caller's still
     */
    boolean resume(ManagerConnection next, Map<SocketSegment, Long> attached) {
        List<Outstanding<?>> moot = new ArrayList<>();
        Map<Outstanding<?>, CoralException> refused = new HashMap<>();
        synchronized (gate) {
            if (end != null) {
                return false;
            }
            attached.forEach((segment, id) -> segment.attached(next, id));
            use(next);
            for (Outstanding<?> asked : inOrder()) {
                if (asked.isMoot()) {
                    outstanding.remove(asked.correlation);
                    moot.add(asked);
                } else {
                    CoralException refusal = transmit(asked);
                    if (refusal != null) {
                        refused.put(asked, refusal);
                    }
                }
            }
            attached.keySet().stream().filter(SocketSegment::isClosed)
                .forEach(segment -> put(new Outstanding.Free(segment.idOn(next))));
        }
        moot.stream().filter(Submission.class::isInstance).forEach(asked -> ((Submission) asked).releaseSegments());
        refused.forEach(Outstanding::fail);
        return true;
    }

    /** Ends the session; whoever is first says why. */
    void end(CoralException reason) {
        synchronized (gate) {
            if (end != null) {
                return;
            }
            end = reason;
            if (connection != null) {
                connection.shutdown();
                reader.takeUp();
            }
            if (reconnection != null) {
                reconnection.giveUp();
            }
        }
        fail(inOrder().stream().filter(one -> outstanding.remove(one.correlation) != null).toList(), reason);
    }

    private static void fail(List<Outstanding<?>> asked, CoralException reason) {
        asked.forEach(one -> one.fail(reason));
    }

    /** It ends at once, unless something chained to a future keeps it; nothing that follows depends on it. */
    private static void awaitEnd(Thread thread) {
        if (thread == null || Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        long deadline = System.nanoTime() + THREAD_EXIT_TIMEOUT.toNanos();
        for (long left; thread.isAlive() && (left = deadline - System.nanoTime()) > 0; ) {
            try {
                TimeUnit.NANOSECONDS.timedJoin(thread, left);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private final class Allocation extends Outstanding<SocketSegment> {
        private final long bytes;

        Allocation(long bytes) {
            this.bytes = bytes;
        }

        @Override
        ClientMessage.Builder message(ManagerConnection to) {
            return ClientMessage.newBuilder().setAllocate(Wire.Allocate.newBuilder().setBytes(bytes));
        }

        @Override
        void answer(ManagerMessage message, ManagerConnection from) throws FrameException {
            if (!message.hasAllocated()) {
                throw unexpected(message);
            }
            int descriptor = from.takeDescriptor();
            long id = message.getAllocated().getSegment();
            long sizeBytes = message.getAllocated().getSizeBytes();
            SealedMemory memory;
            try {
                memory = SealedMemory.adopt(descriptor, sizeBytes);
            } catch (CoralException e) {
                if (e.code() != ErrorCode.SHARED_MEMORY_EXHAUSTED) {
                    throw new FrameException(e.getMessage());
                }
                ask(new Free(id));
                fail(e);
                return;
            }
            SocketSegment segment = new SocketSegment(SocketSession.this, segmentIds.incrementAndGet(), memory);
            synchronized (gate) {
                segment.attached(from, id);
                segments.add(segment);
            }
            if (sizeBytes < bytes) {
                segment.close();
                throw new FrameException("segment is too small: sizeBytes=" + sizeBytes + ", asked=" + bytes);
            }
            if (!complete(segment)) {
                segment.close(); // whoever asked was interrupted
            }
        }
    }
}
