package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.Places;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves an engine to other processes, each allocation on a Unix socket of its own: the node's in the root directory, the
 * others' in directories below it, which is what a pod gets to see. Thread-safe.
 *
 * <p>Allocations are written down, so that the next manager of the directory serves them again. The engine stays its
 * owner's, and must outlive the manager.
 */
public final class Manager implements AutoCloseable {
    public static final String SOCKET_NAME = AllocationDirectory.SOCKET_NAME;
    /** Locked as long as a manager serves the directory; the kernel unlocks it when the manager dies. */
    private static final String LOCK_NAME = "coral.lock";
    private static final Duration MEMORY_POLL = Duration.ofMillis(1);
    private static final Logger LOG = LoggerFactory.getLogger(Manager.class);

    private final Engine engine;
    private final Telemetry telemetry;
    private final Limits limits;
    private final DirectoryLock lock;
    private final AllocationDirectory directory;
    private final Places places;
    private final ScheduledThreadPoolExecutor housekeeper;
    private final AllocationServer node;
    /** By name; guarded by this. */
    private final Map<String, AllocationServer> servers = new TreeMap<>();
    private boolean closed;

    private Manager(
            Engine engine, Telemetry telemetry, Allocation allocation, Limits limits, Path root, DirectoryLock lock)
            throws IOException {
        this.engine = engine;
        this.telemetry = telemetry;
        this.limits = limits;
        this.lock = lock;
        this.directory = new AllocationDirectory(root);
        this.places = new Places(limits.connections(), engine.allocationLimit() + 1);
        this.housekeeper = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "coral-manager-housekeeper");
            thread.setDaemon(true);
            return thread;
        });
        housekeeper.setRemoveOnCancelPolicy(true);
        this.node = AllocationServer.start(engine, telemetry, allocation, limits, places, housekeeper,
            root.resolve(SOCKET_NAME), root.resolve(".sock"));
    }

    /**
     * Starts to listen on {@code coral.sock} in the directory, which is created where it is missing, and on the sockets of
     * the allocations that an earlier manager of the directory had. Sockets of a manager that died there are replaced.
     *
     * @param allocation the node's own
     * @throws CoralException INVALID_ARGUMENT when another manager serves the directory, or it cannot be used
     */
    public static Manager start(Engine engine, Path root, Allocation allocation, Limits limits) {
        return start(engine, new Telemetry(/* destination= */ ""), root, allocation, limits);
    }

    /** @param telemetry its owner's, and must outlive the manager */
    static Manager start(Engine engine, Telemetry telemetry, Path root, Allocation allocation, Limits limits) {
        return start(engine, telemetry, root, allocation, limits, lock(root).orElseThrow(() -> inUse(root)));
    }

    /** @param lock of the directory; becomes the manager's, or is closed where it does not start */
    static Manager start(
            Engine engine, Telemetry telemetry, Path root, Allocation allocation, Limits limits, DirectoryLock lock) {
        try {
            requireSocketOrNothing(root.resolve(SOCKET_NAME));
            Manager manager = new Manager(engine, telemetry, allocation, limits, root, lock);
            try {
                manager.restore();
            } catch (IOException e) {
                manager.close();
                throw e;
            }
            telemetry.metrics().observe(engine);
            telemetry.events().add(Event.Kind.MANAGER_STARTED, Map.of(Event.Field.ADDRESS, manager.address()));
            return manager;
        } catch (IOException e) {
            lock.close();
            throw unusable(root, e);
        } catch (RuntimeException | Error e) {
            lock.close();
            throw e;
        }
    }

    /**
     * Takes the directory, which is made where it is missing. Who has it may {@link #start} a manager there.
     *
     * @return empty while another manager has it
     * @throws CoralException INVALID_ARGUMENT where that cannot be told
     */
    static Optional<DirectoryLock> lock(Path root) {
        try {
            Files.createDirectories(root,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
            return DirectoryLock.take(root.resolve(LOCK_NAME));
        } catch (IOException e) {
            throw unusable(root, e);
        }
    }

    static CoralException inUse(Path root) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "another manager serves this directory: root=" + root + "; stop it, or choose another with --root");
    }

    private static CoralException unusable(Path root, IOException e) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT,
            "cannot serve in this directory: root=" + root + ", cause=" + e + "; choose another with --root", e);
    }

    /** The caller holds the lock, so whoever made the socket is dead, and it may be replaced. */
    private static void requireSocketOrNothing(Path socket) throws IOException {
        if (!Files.exists(socket, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        int fileType = (Integer) Files.getAttribute(socket, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0170000;
        if (fileType != 0140000) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "something that is no socket is in the way: path=" + socket + "; move it, or choose another --root");
        }
        LOG.info("replacing the socket of a manager that died: path={}", socket);
    }

    /** One that cannot be served must not keep the others from it. */
    private void restore() throws IOException {
        for (Allocation allocation : directory.recorded()) {
            try {
                allocate(allocation);
            } catch (CoralException e) {
                LOG.error("allocation cannot be restored, leaving it out: allocation={}, cause={}", allocation,
                    e.getMessage());
            }
        }
    }

    /** The node's own address. */
    public String address() {
        return node.address();
    }

    /** Allocations beside the node's own, by name. */
    public synchronized List<Allocation> allocations() {
        return servers.values().stream().map(AllocationServer::allocation).toList();
    }

    /**
     * Serves an allocation, and goes on doing so after a restart until {@link #release}. Repeating it changes nothing.
     *
     * @return the address on this machine; the directory of the socket is what to mount into the pod, and need not be
     *     writable there
     * @throws CoralException INVALID_ARGUMENT for a name that names no directory, or one that is served with another quota
     *     or share; QUOTA_EXCEEDED when more would be granted than there is
     */
    public synchronized String allocate(Allocation allocation) {
        if (closed) {
            throw new CoralException(ErrorCode.SESSION_CLOSED,
                "manager is stopping: address=" + address() + "; ask the next one");
        }
        String name = allocation.name();
        directory.requireName(name);
        AllocationServer served = name.equals(node.allocation().name()) ? node : servers.get(name);
        if (served != null) {
            if (served == node || !served.allocation().equals(allocation)) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "name of an allocation is in use: new=" + allocation
                    + ", inUse=" + served.allocation() + "; release it first, or choose another name");
            }
            return served.address();
        }
        engine.grant(allocation);
        try {
            directory.create(allocation);
            served = AllocationServer.start(engine, telemetry, allocation, limits, places, housekeeper,
                directory.socket(name), directory.staging(name));
        } catch (IOException e) {
            engine.revoke(allocation);
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot serve the allocation: allocation=" + name
                + ", cause=" + e + "; see that the manager's directory is writable and has space", e);
        } catch (RuntimeException | Error e) {
            engine.revoke(allocation);
            throw e;
        }
        servers.put(name, served);
        telemetry.events().add(Event.Kind.ALLOCATION_ADDED, Map.of(Event.Field.ALLOCATION, name,
            Event.Field.SHARE, allocation.share(), Event.Field.QUOTA_BYTES, allocation.quotaBytes()));
        LOG.info("serving an allocation: allocation={}, address={}", allocation, served.address());
        return served.address();
    }

    /** @throws CoralException INVALID_ARGUMENT for a name that no allocation here can have */
    public void requireName(String name) {
        directory.requireName(name);
    }

    /**
     * Gives up memory that clients of the allocation left to be reused: those who come now may be others. Whoever is connected
     * notices nothing. Does nothing where there is no such allocation.
     */
    public synchronized void renew(String name) {
        AllocationServer server = servers.get(name);
        if (server != null && !closed) {
            engine.revoke(server.allocation());
            engine.grant(server.allocation());
        }
    }

    /**
     * Ends an allocation: its clients are disconnected, its requests cancelled, its memory freed, its directory removed.
     * Does nothing where there is no such allocation.
     *
     * @throws CoralException INVALID_ARGUMENT when its directory cannot be removed; repeat it
     */
    public synchronized void release(String name) {
        if (closed) {
            throw new CoralException(ErrorCode.SESSION_CLOSED,
                "manager is stopping: address=" + address() + "; ask the next one");
        }
        directory.requireName(name);
        AllocationServer server = servers.get(name);
        if (server != null) {
            server.stopAccepting();
            server.disconnectAll();
        }
        try {
            directory.delete(name);
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot remove the allocation: allocation=" + name
                + ", cause=" + e + "; see that the manager's directory is writable, and release it again", e);
        }
        if (server != null) {
            servers.remove(name);
            engine.revoke(server.allocation());
            telemetry.events().add(Event.Kind.ALLOCATION_REMOVED, Map.of(Event.Field.ALLOCATION, name));
            telemetry.forget(name);
            LOG.info("released an allocation: allocation={}", name);
        }
    }

    /** Lets outstanding requests end, up to the limit; then disconnects everybody, and removes the sockets. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        telemetry.events().add(Event.Kind.MANAGER_STOPPING, Map.of(Event.Field.ADDRESS, address()));
        Collection<AllocationServer> all = new ArrayList<>(servers.values());
        all.add(node);
        all.forEach(AllocationServer::stopAccepting);
        long deadline = System.nanoTime() + limits.drainTimeout().toNanos();
        all.forEach(server -> server.drain(deadline));
        all.forEach(AllocationServer::disconnectAll);
        all.forEach(server -> engine.revoke(server.allocation()));
        housekeeper.shutdownNow();
        if (awaitUnusedMemory(limits.drainTimeout())) {
            lock.close();
        } else {
            // The next manager would serve memory that a device here writes to still: it has to wait for this process.
            LOG.error("device does not let go of its clients' memory, keeping the directory locked: usedBytes={}",
                engine.stats().usedBytes());
        }
        telemetry.events().add(Event.Kind.MANAGER_STOPPED, Map.of(Event.Field.ADDRESS, address()));
    }

    private boolean awaitUnusedMemory(Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (engine.stats().usedBytes() > 0) {
            if (System.nanoTime() - deadline > 0) {
                return false;
            }
            LockSupport.parkNanos(MEMORY_POLL.toNanos());
        }
        return true;
    }
}
