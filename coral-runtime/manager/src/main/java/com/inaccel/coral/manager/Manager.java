package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.protocol.FrameChannel;
import com.inaccel.coral.protocol.UnixSocket;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves an engine to other processes on a Unix socket, to all of them as one allocation.
 *
 * <p>Threads: one that accepts, one reader per client, and a housekeeper. The engine stays its owner's, and must outlive
 * the manager.
 */
public final class Manager implements AutoCloseable {
    public static final String SOCKET_NAME = "coral.sock";
    /** Locked as long as a manager serves the directory; the kernel unlocks it when the manager dies. */
    private static final String LOCK_NAME = "coral.lock";
    private static final int BACKLOG = 128;
    private static final Duration ACCEPT_RETRY = Duration.ofMillis(100);
    private static final Logger LOG = LoggerFactory.getLogger(Manager.class);

    private final Engine engine;
    private final Allocation allocation;
    private final Limits limits;
    private final Path socket;
    private final FileChannel lock;
    private final UnixSocket listener;
    private final Thread acceptor;
    private final ScheduledExecutorService housekeeper;
    private final Map<ClientConnection, Thread> connections = new ConcurrentHashMap<>();
    private final AtomicInteger segments = new AtomicInteger();
    private final Object requestEnded = new Object();
    private volatile boolean stopping;

    private Manager(Engine engine, Allocation allocation, Limits limits, Path socket, FileChannel lock,
            UnixSocket listener) {
        this.engine = engine;
        this.allocation = allocation;
        this.limits = limits;
        this.socket = socket;
        this.lock = lock;
        this.listener = listener;
        this.acceptor = new Thread(this::acceptUntilClosed, "coral-manager-acceptor");
        this.housekeeper = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "coral-manager-housekeeper");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Starts to listen on {@code coral.sock} in the directory, which is created where it is missing. The socket of a
     * manager that died there is replaced.
     *
     * @throws CoralException INVALID_ARGUMENT when another manager serves the directory, or it cannot be used
     */
    public static Manager start(Engine engine, Path root, Allocation allocation, Limits limits) {
        Path socket = root.resolve(SOCKET_NAME);
        FileChannel lock = null;
        try {
            Files.createDirectories(root,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
            lock = lock(root);
            removeDeadSocket(socket);
            Manager manager =
                new Manager(engine, allocation, limits, socket, lock, UnixSocket.listen(socket, BACKLOG));
            manager.acceptor.start();
            return manager;
        } catch (IOException | CoralException e) {
            closeQuietly(lock);
            if (e instanceof CoralException coral) {
                throw coral;
            }
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "cannot serve in this directory: root=" + root + ", cause=" + e + "; choose another with --root", e);
        }
    }

    private static FileChannel lock(Path root) throws IOException {
        FileChannel channel =
            FileChannel.open(root.resolve(LOCK_NAME), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            LOG.debug("locked by this process: root={}", root);
        } catch (IOException e) {
            closeQuietly(channel);
            throw e;
        }
        closeQuietly(channel);
        throw new CoralException(ErrorCode.INVALID_ARGUMENT,
            "another manager serves this directory: root=" + root + "; stop it, or choose another with --root");
    }

    /** The caller holds the lock, so whoever made the socket is dead. */
    private static void removeDeadSocket(Path socket) throws IOException {
        if (!Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        int fileType = (Integer) Files.getAttribute(socket, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0170000;
        if (fileType != 0140000) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "something that is no socket is in the way: path=" + socket + "; move it, or choose another --root");
        }
        LOG.info("replacing the socket of a manager that died: path={}", socket);
        Files.delete(socket);
    }

    public String address() {
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

    void requireServing() {
        if (stopping) {
            throw new CoralException(ErrorCode.SESSION_CLOSED,
                "manager is stopping: address=" + address() + "; submit again to the next one");
        }
    }

    /** Counts one more, ahead of allocating it. */
    void segmentAllocated(int ofConnection) {
        if (ofConnection >= limits.segmentsPerConnection()) {
            throw new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED, "too many segments in this session: segments="
                + ofConnection + ", limit=" + limits.segmentsPerConnection() + "; use fewer and larger ones");
        }
        if (segments.incrementAndGet() > limits.segments()) {
            segments.decrementAndGet();
            throw new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED, "too many segments on this node: limit="
                + limits.segments() + "; use fewer and larger ones, or wait for other sessions to end");
        }
    }

    void segmentsFreed(int count) {
        segments.addAndGet(-count);
    }

    void requestEnded() {
        if (stopping) {
            synchronized (requestEnded) {
                requestEnded.notifyAll();
            }
        }
    }

    void ended(ClientConnection connection) {
        connections.remove(connection);
        requestEnded();
    }

    private void acceptUntilClosed() {
        while (!stopping) {
            try {
                serve(listener.accept());
            } catch (IOException e) {
                if (!stopping) {
                    // Most likely out of descriptors: those who wait are served when some have been closed.
                    LOG.error("cannot accept a client: address={}, retryAfter={}", address(), ACCEPT_RETRY, e);
                    LockSupport.parkNanos(ACCEPT_RETRY.toNanos());
                }
            }
        }
    }

    private void serve(UnixSocket accepted) throws IOException {
        UnixSocket.Peer peer;
        try {
            peer = accepted.peer();
        } catch (IOException e) {
            accepted.close();
            throw e;
        }
        String client = "pid=" + peer.pid() + " uid=" + peer.uid();
        ClientConnection connection = new ClientConnection(this, client, new FrameChannel(accepted, 0));
        if (connections.size() >= limits.connections()) {
            LOG.warn("too many clients, refusing: client={}, limit={}", client, limits.connections());
            connection.refuse(new CoralException(ErrorCode.QUEUE_FULL, "too many sessions: limit="
                + limits.connections() + "; connect again when others have ended, or share one session"));
            return;
        }
        Thread reader = new Thread(connection, "coral-client-reader " + client);
        reader.setDaemon(true);
        connections.put(connection, reader);
        housekeeper.schedule(connection::disconnectUnlessGreeted, limits.handshakeTimeout().toMillis(),
            TimeUnit.MILLISECONDS);
        reader.start();
    }

    /** Lets outstanding requests end, up to the limit; then disconnects everybody, and removes the socket. */
    @Override
    public synchronized void close() {
        if (stopping) {
            return;
        }
        stopping = true;
        deleteSocket();
        listener.shutdown();
        Threads.join(acceptor);
        listener.close();
        drain();
        Map<ClientConnection, Thread> open = Map.copyOf(connections);
        open.keySet().forEach(ClientConnection::disconnect);
        open.values().forEach(Threads::join);
        housekeeper.shutdownNow();
        closeQuietly(lock);
    }

    private void drain() {
        long deadline = System.nanoTime() + limits.drainTimeout().toNanos();
        synchronized (requestEnded) {
            long left;
            while (outstandingRequests() > 0 && (left = deadline - System.nanoTime()) > 0) {
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
            LOG.warn("stopping with requests outstanding, which are cancelled: requests={}, waited={}", cut,
                limits.drainTimeout());
        }
    }

    private int outstandingRequests() {
        return connections.keySet().stream().mapToInt(ClientConnection::outstandingRequests).sum();
    }

    private void deleteSocket() {
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            LOG.warn("socket cannot be removed: path={}", socket, e);
        }
    }

    private static void closeQuietly(FileChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                LOG.debug("lock file does not close", e);
            }
        }
    }
}
