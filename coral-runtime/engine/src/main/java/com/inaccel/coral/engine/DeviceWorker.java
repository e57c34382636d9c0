package com.inaccel.coral.engine;

import com.inaccel.coral.engine.Bitstream.Kernel;
import com.inaccel.coral.engine.Device.Lane;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One device with its lanes, and its health.
 *
 * <p>When the device fails under one lane, what is on it is lost: no lane takes anything until all have let go and the last
 * has reset the device. Where that fails, the device counts as unhealthy, and its first lane tries again and again.
 */
final class DeviceWorker {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceWorker.class);

    private final int index;
    private final Device device;
    private final Dispatcher dispatcher;
    private final long probeNanos;
    private final List<Lane> lanes;
    private final List<LaneWorker> workers = new ArrayList<>();
    private final DeviceMemory memory;
    private final Programming programming;
    private final AtomicInteger living;

    /** Lanes that wait for work, the last to have worked first. Guarded by the dispatcher's lock, like all below. */
    private final Deque<LaneWorker> idle = new ArrayDeque<>();
    private int inFlight;
    private long busySinceNanos;
    private long busyNanos;
    private long requests;
    private long failures;
    /** Written with the lock held; read without, too. */
    private volatile boolean failing;
    private volatile boolean healthy = true;

    DeviceWorker(int index, Device device, int laneCount, Dispatcher dispatcher, Duration probe) {
        this.index = index;
        this.device = device;
        this.dispatcher = dispatcher;
        this.probeNanos = probe.toNanos();
        this.lanes = Stream.generate(device::lane).limit(laneCount).toList();
        this.memory = new DeviceMemory(device, lanes);
        this.programming = new Programming(device);
        this.living = new AtomicInteger(laneCount);
        for (int i = 0; i < laneCount; i++) {
            workers.add(new LaneWorker(this, i, lanes.get(i), dispatcher));
        }
    }

    int index() {
        return index;
    }

    Device device() {
        return device;
    }

    /** Devices of one platform can do the same. */
    String platform() {
        return device.info().vendor() + "/" + device.info().platform();
    }

    DeviceMemory memory() {
        return memory;
    }

    Programming programming() {
        return programming;
    }

    List<LaneWorker> lanes() {
        return workers;
    }

    void start() {
        workers.forEach(LaneWorker::start);
    }

    /** After the dispatcher was closed. @return whether all lanes ended, the last of which has closed the device */
    boolean join(Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        for (LaneWorker lane : workers) {
            lane.thread().join(Math.max(1, Duration.ofNanos(end - System.nanoTime()).toMillis()));
        }
        return workers.stream().noneMatch(lane -> lane.thread().isAlive());
    }

    /** The last to end closes what all of them used. */
    void laneEnded() {
        if (living.decrementAndGet() == 0) {
            memory.clear();
            lanes.forEach(Lane::close);
            device.close();
        }
    }

    boolean healthy() {
        return healthy;
    }

    void requireWell() {
        if (failing) {
            throw new DeviceFailure("device=" + device.info().id() + ", problem=failed under another request");
        }
    }

    // With the dispatcher's lock held, down to stats():

    boolean takes() {
        return healthy && !failing;
    }

    /** Lanes that have a request or were woken to take one. */
    int lanesAwake() {
        return workers.size() - idle.size();
    }

    /** Lanes that look for a request, or will when they have told of the end of the last. */
    int lanesLooking() {
        return lanesAwake() - inFlight;
    }

    /** Whether one more request could not run at once. */
    boolean isSaturated(Kernel kernel) {
        return inFlight >= device.units(kernel);
    }

    boolean hasIdleLane() {
        return !idle.isEmpty();
    }

    void rests(LaneWorker lane) {
        idle.push(lane);
    }

    void wakes(LaneWorker lane) {
        idle.remove(lane);
    }

    void wakeOne() {
        idle.pop().wake.signal();
    }

    /** A lane that rests, for another thread to run a request on. */
    LaneWorker lend() {
        LaneWorker lane = idle.pop();
        lane.lent = true;
        return lane;
    }

    void wakeAll() {
        workers.forEach(lane -> lane.wake.signal());
    }

    /** Mending is the first lane's, and begins when all have let go. */
    boolean needsMending(LaneWorker lane) {
        return !healthy && inFlight == 0 && lane == workers.get(0);
    }

    void begin(long nowNanos) {
        requests++;
        if (inFlight++ == 0) {
            busySinceNanos = nowNanos;
        }
    }

    /** @return whether the caller has to {@link #recover} the device */
    boolean end(long nowNanos) {
        if (--inFlight > 0) {
            return false;
        }
        busyNanos += nowNanos - busySinceNanos;
        if (!healthy) {
            wakeAll();
        }
        return failing && healthy;
    }

    /** @return whether it was well before */
    boolean fail() {
        boolean first = !failing;
        if (first) {
            failing = true;
            failures++;
        }
        return first;
    }

    void setHealthy(boolean value) {
        healthy = value;
        failing = !value;
    }

    DeviceStats stats(long nowNanos) {
        return new DeviceStats(device.info().id(), healthy, programming.last(), memory.bytes(), inFlight, requests, failures,
            memory.evictions(), programming.count(), busyNanos + (inFlight > 0 ? nowNanos - busySinceNanos : 0));
    }

    /** Nothing is in flight. A device that comes back at once was never away for the others. */
    void recover() {
        clear();
        boolean back = reset();
        dispatcher.healthChanged(this, back);
        if (back) {
            dispatcher.listener().deviceBack(device.info());
        }
    }

    void mend(LaneWorker lane) throws InterruptedException {
        clear();
        while (!reset()) {
            if (!dispatcher.pause(lane, probeNanos)) {
                return;
            }
        }
        dispatcher.healthChanged(this, true);
        LOG.info("device is back: device={}", device.info().id());
        dispatcher.listener().deviceBack(device.info());
    }

    /** What is on the device is lost. */
    private void clear() {
        programming.clear();
        memory.clear();
    }

    private boolean reset() {
        try {
            device.reset();
            return true;
        } catch (RuntimeException e) {
            LOG.debug("device does not come back: {}", e.getMessage());
            return false;
        }
    }
}
