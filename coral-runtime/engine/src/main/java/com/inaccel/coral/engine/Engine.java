package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Devices, bitstreams, shared memory and the scheduler between them, for any number of sessions. No network.
 *
 * <p>Threads: one for each lane of a device, and one for housekeeping (deadlines, hangs, idle memory), and
 * one that looks for changed bitstreams where directories of them are configured. Thread-safe.
 */
public final class Engine implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Engine.class);
    /** How long what runs may take to end when the engine closes. */
    private static final Duration DRAIN = Duration.ofSeconds(10);
    private static final long MAX_HOUSEKEEPING_MILLIS = 1_000;
    /** Each is a mapping, of which Linux by default gives a process 65,530; the JVM needs some of its own. */
    private static final long MOST_SEGMENTS = 32_768;
    private static final int MAX_LANES = 64;

    private final List<DeviceWorker> workers = new ArrayList<>();
    private final Set<EngineSession> sessions = ConcurrentHashMap.newKeySet();
    private final SharedMemory memory;
    private final Dispatcher dispatcher;
    private final ScheduledThreadPoolExecutor housekeeping;
    private final int hostFallbacks;
    private final long instance = new SecureRandom().nextLong();
    private final EngineListener listener;
    private volatile Thread housekeeper;
    /** Replaced as a whole. A request keeps what it was bound to. */
    private volatile InstalledBitstreams installed;
    private Optional<BitstreamWatcher> watcher = Optional.empty();
    private boolean closed;

    private Engine(
            EngineConfig config, BitstreamStore store, List<Device> devices, int hostFallbacks, EngineListener listener) {
        this.listener = listener;
        this.hostFallbacks = hostFallbacks;
        memory = new SharedMemory(config.bytes(Key.MEMORY_LIMIT), config.count(Key.MEMORY_SEGMENTS),
            segmentsOfAll(config.count(Key.MEMORY_SEGMENTS)), config.count(Key.ALLOCATIONS),
            config.bytes(Key.MEMORY_POOL), config.duration(Key.MEMORY_POOL_IDLE).toNanos(), System::nanoTime);
        housekeeping = new ScheduledThreadPoolExecutor(1, task -> {
            housekeeper = new Thread(task, "coral-housekeeping");
            housekeeper.setDaemon(true);
            return housekeeper;
        });
        housekeeping.setRemoveOnCancelPolicy(true);
        dispatcher = new Dispatcher(
            config.count(Key.QUEUE_LIMIT), config.duration(Key.DEVICE_HANG), housekeeping, System::nanoTime, listener);
        for (int i = 0; i < devices.size(); i++) {
            workers.add(new DeviceWorker(i, devices.get(i), lanes(devices.get(i), store, config.count(Key.DEVICE_LANES)),
                dispatcher, config.duration(Key.DEVICE_PROBE)));
        }
        installed = new InstalledBitstreams(store, devices);
    }

    /** Four times what one allocation may hold, if the process may open twice as many files. */
    private static int segmentsOfAll(int ofOne) {
        long files = ((com.sun.management.UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
            .getMaxFileDescriptorCount();
        long most = Math.max(1, Math.min(MOST_SEGMENTS, files / 2));
        if (most < ofOne) {
            LOG.warn("fewer segments than one allocation may hold: limit={}, allowedPerAllocation={}, openFilesLimit={}",
                most, ofOne, files);
        }
        return (int) Math.min(4L * ofOne, most);
    }

    private void begin(EngineConfig config) {
        dispatcher.start(workers, config.duration(Key.STARVATION).toNanos());
        repeat(config.duration(Key.DEVICE_HANG), dispatcher::checkForHangs);
        repeat(config.duration(Key.MEMORY_POOL_IDLE), memory::expire);
        repeat(Duration.ofMillis(MAX_HOUSEKEEPING_MILLIS), () -> sessions.forEach(EngineSession::reclaimTails));
    }

    /**
     * Opens the devices and loads the bitstreams. The caller closes the engine.
     *
     * <p>A bitstream that cannot be used is logged and among the {@link #bitstreams}, and does not keep the engine from
     * starting. Bitstreams that are installed or removed later are noticed.
     *
     * @throws CoralException INVALID_ARGUMENT naming what to correct
     */
    public static Engine start(EngineConfig config) {
        return start(config, EngineListener.NONE);
    }

    /** As {@link #start(EngineConfig)}, with somebody who hears of what happens in it. */
    public static Engine start(EngineConfig config, EngineListener listener) {
        List<Path> repositories = config.paths(Key.BITSTREAMS);
        repositories.forEach(repository -> new BitstreamRepository(repository).sweep());
        List<Path> watched = Stream.of(repositories, config.paths(Key.BITSTREAMS_TRUST)).flatMap(List::stream).toList();
        List<String> stamp = BitstreamStore.stamp(watched);
        BitstreamStore store = read(config, BitstreamStore.builtIn(), listener);
        Devices.Opened opened = Devices.open(config);
        Engine engine = start(config, store, opened.devices(), opened.hostFallbacks(), listener);
        Duration pause = config.duration(Key.BITSTREAMS_REFRESH);
        if (!repositories.isEmpty() && !pause.isZero()) {
            engine.watcher =
                Optional.of(BitstreamWatcher.start(watched, stamp, pause, () -> engine.reloadBitstreams(config)));
        }
        return engine;
    }

    static Engine start(EngineConfig config, BitstreamStore store, List<Device> devices, int hostFallbacks) {
        return start(config, store, devices, hostFallbacks, EngineListener.NONE);
    }

    /** Takes over the devices. */
    static Engine start(
            EngineConfig config, BitstreamStore store, List<Device> devices, int hostFallbacks, EngineListener listener) {
        Engine engine;
        try {
            engine = new Engine(config, store, devices, hostFallbacks, listener);
        } catch (RuntimeException | Error e) {
            devices.forEach(Device::close);
            throw e;
        }
        engine.begin(config);
        LOG.info("engine started: devices={}, accelerators={}", engine.devices(), engine.accelerators());
        return engine;
    }

    /**
     * Sets aside what the allocation needs, so that others cannot use it up. Idempotent.
     *
     * @throws CoralException QUOTA_EXCEEDED when more would be granted than there is, INVALID_ARGUMENT when it is in use
     *     with another quota or share
     */
    public void grant(Allocation allocation) {
        memory.grant(allocation);
    }

    /** Tells this engine from all others: who holds memory of another one knows that this one has not freed it. */
    public long instance() {
        return instance;
    }

    /** How many allocations can be granted. */
    public int allocationLimit() {
        return memory.allocationLimit();
    }

    /** Undoes {@link #grant}; its sessions keep what they have. Idempotent. */
    public void revoke(Allocation allocation) {
        memory.revoke(allocation);
    }

    /** Opens a session, which its caller closes. */
    public EngineSession open(Allocation allocation) {
        return open(allocation, () -> { });
    }

    /** @param onClose runs after the session was closed */
    EngineSession open(Allocation allocation, Runnable onClose) {
        synchronized (this) {
            if (closed) {
                throw new CoralException(ErrorCode.SESSION_CLOSED, "engine is closed; start a new one");
            }
            EngineSession session = new EngineSession(this, memory.join(allocation), onClose);
            sessions.add(session);
            return session;
        }
    }

    public List<DeviceInfo> devices() {
        return workers.stream().map(worker -> worker.device().info()).toList();
    }

    /** Those of the devices that are FPGAs. */
    public List<FpgaInfo> fpgas() {
        return workers.stream().flatMap(worker -> worker.device().fpga().stream()).toList();
    }

    /** Names of the accelerators that some device here can run for somebody. */
    public Set<String> accelerators() {
        return installed.accelerators();
    }

    /** Those that are used, and then those that cannot be, with the reason. */
    public List<BitstreamInfo> bitstreams() {
        return installed.store().describe();
    }

    public EngineStats stats() {
        return dispatcher.stats(memory, hostFallbacks, installed.store().refused().size());
    }

    /** Closes the sessions, waits for what runs, and gives everything back. Idempotent. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        watcher.ifPresent(BitstreamWatcher::close);
        sessions.forEach(EngineSession::close);
        dispatcher.close();
        joinWorkers();
        housekeeping.shutdownNow();
        try {
            housekeeper.join(DRAIN.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        memory.close();
        LOG.info("engine closed");
    }

    EngineListener listener() {
        return listener;
    }

    SharedMemory memory() {
        return memory;
    }

    Dispatcher dispatcher() {
        return dispatcher;
    }

    InstalledBitstreams installed() {
        return installed;
    }

    void forget(EngineSegment segment) {
        workers.forEach(worker -> worker.memory().forget(segment));
    }

    void left(EngineSession session, SharedMemory.Account account) {
        sessions.remove(session);
        if (memory.leave(account)) {
            dispatcher.forget(account.allocation());
        }
    }

    /** One for each run that may happen at once; where there is copying to do, one more that copies meanwhile. */
    private static int lanes(Device device, BitstreamStore store, int configured) {
        if (configured > 0) {
            return configured;
        }
        int units = store.all().stream().filter(device::accepts).flatMap(bitstream -> bitstream.kernels().stream())
            .mapToInt(device::units).max().orElse(1);
        return Math.min(MAX_LANES, device.sharesHostMemory() ? units : units + 1);
    }

    private void reloadBitstreams(EngineConfig config) {
        BitstreamStore store = read(config, installed.store(), listener);
        installed = new InstalledBitstreams(store, workers.stream().map(DeviceWorker::device).toList());
        LOG.info("bitstreams changed: installed={}, accelerators={}", store.all(), accelerators());
    }

    /** Tells once what is new, and what is wrong. */
    private static BitstreamStore read(EngineConfig config, BitstreamStore before, EngineListener listener) {
        Signatures signatures = Signatures.of(config);
        signatures.problems().forEach(problem -> LOG.error("{}", problem));
        BitstreamStore now = before.reload(config.paths(Key.BITSTREAMS), signatures);
        Set<BitstreamInfo> known = new HashSet<>(before.describe());
        Set<BitstreamInfo> found = new HashSet<>(now.describe());
        known.stream().filter(info -> info.isUsed() && !found.contains(info)).forEach(listener::bitstreamRemoved);
        found.stream().filter(info -> !known.contains(info)).forEach(info -> {
            if (info.isUsed()) {
                listener.bitstreamInstalled(info);
            } else {
                LOG.error("bitstream is not used: manifest={}, {}", info.manifest(), info.problem());
                listener.bitstreamRefused(info);
            }
        });
        return now;
    }

    /** Often enough for what has this time limit. */
    private void repeat(Duration limit, Runnable chore) {
        long millis = Math.max(1, Math.min(MAX_HOUSEKEEPING_MILLIS, limit.toMillis() / 4));
        housekeeping.scheduleWithFixedDelay(() -> {
            try {
                chore.run();
            } catch (RuntimeException e) { // one that escaped would end the chore for ever
                LOG.error("housekeeping failed", e);
            }
        }, millis, millis, TimeUnit.MILLISECONDS);
    }

    /** What a device holds can only be freed when its lanes have ended: where one hangs in a driver, it is left behind. */
    private void joinWorkers() {
        Set<DeviceWorker> ended = new HashSet<>();
        try {
            for (DeviceWorker worker : workers) {
                boolean done = worker.join(DRAIN);
                if (!done) {
                    worker.device().abort();
                    done = worker.join(DRAIN);
                }
                if (done) {
                    ended.add(worker);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        workers.stream().filter(worker -> !ended.contains(worker)).forEach(worker ->
            LOG.error("device does not let go, its memory is left behind: device={}", worker.device().info().id()));
    }
}
