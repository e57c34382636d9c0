package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Device.Timing;
import com.inaccel.coral.engine.Dispatcher.Attempt;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The thread that owns one device: takes requests, gets the device ready for them, runs them, and mends the device. */
@SuppressWarnings("NonAtomicVolatileUpdate") // only the worker's own thread writes its counters
final class DeviceWorker {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceWorker.class);
    /** What programming is taken to cost before it was measured. */
    private static final long FIRST_PROGRAMMING_NANOS = 100_000_000;

    private final int index;
    private final Device device;
    private final DeviceMemory memory;
    private final Dispatcher dispatcher;
    private final long probeNanos;
    private final Thread thread;
    /** Written by the thread, read by the scheduler. */
    private final Set<Bitstream> programmed = ConcurrentHashMap.newKeySet();
    private volatile long programmingNanos = FIRST_PROGRAMMING_NANOS;
    private volatile String bitstream = "";
    private volatile long requests;
    private volatile long failures;
    private volatile long programmings;
    private volatile long busyNanos;

    /** Guarded by the dispatcher's lock, like the next: waits for work. */
    boolean idle;
    final Condition wake;
    volatile boolean healthy = true;
    /** What it works on; null when nothing. */
    volatile Attempt attempt;

    DeviceWorker(int index, Device device, Dispatcher dispatcher, Duration probe) {
        this.index = index;
        this.device = device;
        this.memory = new DeviceMemory(device);
        this.dispatcher = dispatcher;
        this.probeNanos = probe.toNanos();
        this.wake = dispatcher.lock.newCondition();
        this.thread = new Thread(this::work, "coral-device-" + device.info().id());
        this.thread.setDaemon(true);
    }

    int index() {
        return index;
    }

    Device device() {
        return device;
    }

    DeviceMemory memory() {
        return memory;
    }

    /** Nanoseconds that programming would take now: 0 where it is programmed. */
    long programmingNanos(Bitstream wanted) {
        return programmed.contains(wanted) ? 0 : programmingNanos;
    }

    DeviceStats stats() {
        return new DeviceStats(device.info().id(), healthy, bitstream, memory.bytes(), requests, failures,
            memory.evictions(), programmings, busyNanos);
    }

    void start() {
        thread.start();
    }

    /** After the dispatcher was closed. @return whether the thread ended and has closed the device */
    boolean join(Duration patience) throws InterruptedException {
        thread.join(patience.toMillis());
        return !thread.isAlive();
    }

    private void work() {
        try {
            while (!dispatcher.isClosing()) {
                Attempt next = dispatcher.take(this);
                if (next != null) {
                    long started = System.nanoTime();
                    run(next);
                    busyNanos += System.nanoTime() - started; // only this thread writes
                } else if (!healthy) {
                    mend();
                }
            }
        } catch (InterruptedException e) {
            LOG.warn("device's thread interrupted: device={}", device.info().id());
        } finally {
            memory.clear();
            device.close();
        }
    }

    private void run(Attempt current) {
        PendingRequest request = current.request;
        try {
            requests++;
            if (request.future.isDone()) {
                dispatcher.refused(this, current, new CoralException(ErrorCode.CANCELLED, "cancelled before it ran"));
                return;
            }
            Bitstream wanted = request.bitstreams[index];
            program(wanted);
            Execution execution = Execution.of(wanted, request.accelerator, request.arguments, current::mayPublish);
            long placing = System.nanoTime();
            long placed;
            Timing timing;
            try (DeviceMemory.Pins pins = memory.pin(execution, request.segments())) {
                placed = System.nanoTime();
                timing = device.run(execution);
            }
            long copied = device.sharesHostMemory() ? 0 : placed - placing;
            dispatcher.succeeded(this, current, new Completion(device.info().id(),
                current.takenNanos - request.submittedNanos, copied + timing.transferNanos(), timing.runNanos()),
                timing.runNanos());
        } catch (DeviceFailure e) {
            failures++;
            LOG.error("device failed: {}", e.getMessage());
            dispatcher.listener().deviceFailed(device.info(), e.getMessage());
            recover(current, e);
        } catch (CoralException e) {
            dispatcher.refused(this, current, e);
        } catch (Throwable e) { // whatever an accelerator's code throws must not end the device's thread
            LOG.error("accelerator failed: accelerator={}, device={}", request.accelerator, device.info().id(), e);
            dispatcher.refused(this, current, new CoralException(ErrorCode.INTERNAL,
                "accelerator failed: accelerator=" + request.accelerator + ", device=" + device.info().id()
                    + ", problem=" + e + "; report it", e));
        }
    }

    private void program(Bitstream wanted) {
        if (programmed.contains(wanted)) {
            return;
        }
        long started = System.nanoTime();
        if (!device.holdsManyBitstreams()) {
            programmed.clear();
        }
        device.program(wanted);
        programmed.add(wanted);
        programmingNanos = Math.max(1, System.nanoTime() - started);
        programmings++;
        bitstream = wanted.toString();
        LOG.info("programmed: device={}, bitstream={}, millis={}", device.info().id(), wanted, programmingNanos / 1_000_000);
        dispatcher.listener().programmed(device.info(), bitstream, programmingNanos);
    }

    /** What is on the device is lost. A device that comes back at once was never away for the others. */
    private void recover(Attempt current, DeviceFailure failure) {
        programmed.clear();
        memory.clear();
        boolean back = healthy && reset();
        if (back) {
            dispatcher.listener().deviceBack(device.info());
        } else {
            dispatcher.healthChanged(this, false);
        }
        dispatcher.deviceFailed(this, current, failure);
    }

    private void mend() throws InterruptedException {
        programmed.clear();
        memory.clear();
        while (!reset()) {
            if (!dispatcher.pause(this, probeNanos)) {
                return;
            }
        }
        dispatcher.healthChanged(this, true);
        LOG.info("device is back: device={}", device.info().id());
        dispatcher.listener().deviceBack(device.info());
    }

    private boolean reset() {
        try {
            device.reset();
            return true;
        } catch (DeviceFailure e) {
            LOG.debug("device does not come back: {}", e.getMessage());
            return false;
        }
    }
}
