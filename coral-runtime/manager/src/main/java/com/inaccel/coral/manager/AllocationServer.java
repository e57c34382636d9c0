package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.Places;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.UnixSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One allocation's socket and the clients on it. Whoever connects here is this allocation, whatever he says.
 *
 * <p>Threads: one that accepts, and one reader per client.
 */
final class AllocationServer {
    private static final int BACKLOG = 128;
    /** A frame of a client brings one at most, and the kernel hands out no two frames' descriptors at once. */
    private static final int MAX_WAITING_DESCRIPTORS = 1;
    /** Each takes a thread and buffers, be it for a moment only. */
    private static final int CONNECTIONS_PER_SECOND = 200;
    private static final Duration SHORTEST_WAIT = Duration.ofMillis(1);
    private static final Duration ACCEPT_RETRY = Duration.ofMillis(100);
    private static final Logger LOG = LoggerFactory.getLogger(AllocationServer.class);

    private final Engine engine;
    private final Telemetry telemetry;
    private final Allocation allocation;
    private final Limits limits;
    private final Places places;
    private final ScheduledExecutorService housekeeper;
    private final Path socket;
    private final UnixSocket listener;
    private final Thread acceptor;
    private final Map<ClientConnection, Thread> connections = new ConcurrentHashMap<>();
    private final Pace accepting = new Pace(CONNECTIONS_PER_SECOND, System::nanoTime);
    private final Pace reading;
    private final Object requestEnded = new Object();
    private volatile boolean stopping;

    private AllocationServer(Engine engine, Telemetry telemetry, Allocation allocation, Limits limits, Places places,
            ScheduledExecutorService housekeeper, Path socket, UnixSocket listener) {
        this.engine = engine;
        this.telemetry = telemetry;
        this.allocation = allocation;
        this.limits = limits;
        this.reading = new Pace(limits.messagesPerSecond(), System::nanoTime);
        this.places = places;
        this.housekeeper = housekeeper;
        this.socket = socket;
        this.listener = listener;
        this.acceptor = new Thread(this::acceptUntilClosed, "coral-acceptor " + allocation.name());
        acceptor.setDaemon(true);
    }

    /**
     * Starts to listen. Whatever is at the socket's place is replaced, at once: clients find the old one or the new one.
     *
     * @param staging where the socket is made: in a directory that only the manager writes to
     */
    static AllocationServer start(Engine engine, Telemetry telemetry, Allocation allocation, Limits limits, Places places,
            ScheduledExecutorService housekeeper, Path socket, Path staging) throws IOException {
        Files.deleteIfExists(staging);
        UnixSocket listener = UnixSocket.listen(staging, BACKLOG);
        try {
            Files.move(staging, socket, StandardCopyOption.ATOMIC_MOVE);
            AllocationServer server =
                new AllocationServer(engine, telemetry, allocation, limits, places, housekeeper, socket, listener);
            server.acceptor.start();
            return server;
        } catch (IOException | RuntimeException | Error e) {
            listener.close();
            Files.deleteIfExists(staging);
            throw e;
        }
    }

    String address() {
        return "unix:" + socket;
    }

    Engine engine() {
        return engine;
    }

    Allocation allocation() {
        return allocation;
    }

    Limits limits() {
        return limits;
    }

    /** Tells something about a client of this allocation. */
    void tell(Event.Kind kind, ClientConnection client, String message) {
        telemetry.events().add(kind, Map.of(Event.Field.ALLOCATION, allocation.name(),
            Event.Field.CLIENT, client.toString(), Event.Field.MESSAGE, message));
    }

    /** A request that did not get as far as the engine, which tells of all others. */
    void requestRefused(CoralException reason) {
        telemetry.requestFailed(allocation, /* accelerator= */ "", reason.code(), reason.getMessage());
    }

    boolean isStopping() {
        return stopping;
    }

    void requestEnded() {
        if (stopping) {
            synchronized (requestEnded) {
                requestEnded.notifyAll();
            }
        }
    }

    /** Takes nobody in any more, and no new requests of those who are in. Idempotent. */
    void stopAccepting() {
        if (stopping) {
            return;
        }
        stopping = true;
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.warn("socket cannot be removed: path={}", socket, e);
        }
        listener.shutdown();
        Threads.join(acceptor);
        listener.close();
    }

    /** Lets outstanding requests end. */
    void drain(long deadlineNanos) {
        synchronized (requestEnded) {
            long left;
            while (outstandingRequests() > 0 && (left = deadlineNanos - System.nanoTime()) > 0) {
                try {
                    TimeUnit.NANOSECONDS.timedWait(requestEnded, left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt(); // whoever interrupts wants it over with
                    break;
                }
            }
        }
        int cut = outstandingRequests();
        if (cut > 0) {
            LOG.warn("stopping with requests outstanding, which are cancelled: allocation={}, requests={}",
                allocation.name(), cut);
            telemetry.events().add(Event.Kind.MANAGER_DRAIN_CUT,
                Map.of(Event.Field.ALLOCATION, allocation.name(), Event.Field.REQUESTS, cut));
        }
    }

    /** Returns when nothing is left of its clients. After {@link #stopAccepting}. */
    void disconnectAll() {
        Map<ClientConnection, Thread> open = Map.copyOf(connections);
        open.keySet().forEach(ClientConnection::disconnect);
        open.values().forEach(Threads::join);
    }

    private int outstandingRequests() {
        return connections.keySet().stream().mapToInt(ClientConnection::outstandingRequests).sum();
    }

    private void acceptUntilClosed() {
        while (!stopping) {
            try {
                serve(listener.accept());
                waitFor(accepting);
            } catch (IOException | OutOfMemoryError e) {
                if (!stopping) {
                    // Out of descriptors, threads or memory: those who wait are served when some have been given back.
                    LOG.error("cannot accept a client: address={}, retryAfter={}", address(), ACCEPT_RETRY, e);
                    LockSupport.parkNanos(ACCEPT_RETRY.toNanos());
                }
            }
        }
    }

    /** A client's reader thread is about to handle one more message. */
    void awaitTurn() {
        waitFor(reading);
    }

    /** Not for moments shorter than what a thread takes to wake up: they add up to one that is not. */
    private static void waitFor(Pace pace) {
        long wait = pace.take();
        if (wait > SHORTEST_WAIT.toNanos()) {
            LockSupport.parkNanos(wait);
        }
    }

    private void serve(UnixSocket accepted) throws IOException {
        ClientConnection connection;
        try {
            UnixSocket.Peer peer = accepted.peer();
            String client = "allocation=" + allocation.name() + " pid=" + peer.pid() + " uid=" + peer.uid();
            connection = new ClientConnection(this, client, new FrameChannel(accepted, MAX_WAITING_DESCRIPTORS));
        } catch (IOException | RuntimeException | Error e) {
            accepted.close();
            throw e;
        }
        if (!places.take(allocation.name())) {
            LOG.warn("too many clients, refusing: client={}, connections={}, limit={}", connection, connections.size(),
                limits.connections());
            CoralException reason = new CoralException(ErrorCode.QUEUE_FULL, "too many sessions: allocation="
                + allocation.name() + ", sessions=" + connections.size() + ", limitOfAll=" + limits.connections()
                + "; connect again when others have ended, or share one session");
            tell(Event.Kind.CLIENT_REFUSED, connection, reason.getMessage());
            connection.refuse(reason);
            return;
        }
        Thread reader = new Thread(() -> run(connection), "coral-client-reader " + connection);
        reader.setDaemon(true);
        connections.put(connection, reader);
        try {
            reader.start();
        } catch (OutOfMemoryError e) { // no thread left
            ended(connection);
            connection.abandon();
            throw e;
        }
    }

    private void run(ClientConnection connection) {
        Future<?> patience = housekeeper.schedule(connection::disconnectUnlessGreeted,
            limits.handshakeTimeout().toMillis(), TimeUnit.MILLISECONDS);
        try {
            connection.run();
        } finally {
            patience.cancel(false); // or a client that connects in a loop fills the memory with them
            ended(connection);
        }
    }

    private void ended(ClientConnection connection) {
        connections.remove(connection);
        places.giveBack(allocation.name());
        requestEnded();
    }
}
