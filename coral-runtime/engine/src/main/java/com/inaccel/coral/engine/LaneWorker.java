package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Device.Lane;
import java.util.concurrent.Semaphore;
import java.util.concurrent.locks.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread of one lane: takes one request after the other through the device. Copies overlap other lanes' runs; runs wait
 * for one of the compute units. A lane that rests may be lent to a thread that brings a short request.
 */
final class LaneWorker {
    private static final Logger LOG = LoggerFactory.getLogger(LaneWorker.class);

    private final DeviceWorker worker;
    private final Lane lane;
    private final Dispatcher dispatcher;
    private final Thread thread;
    /** Of the dispatcher's lock: there may be work, or something else to do. */
    final Condition wake;
    /** To a thread that runs one request on it; this lane's own thread waits meanwhile. Guarded by the dispatcher's lock. */
    boolean lent;
    /** What it works on; null when nothing. */
    volatile Attempt attempt;

    LaneWorker(DeviceWorker worker, int number, Lane lane, Dispatcher dispatcher) {
        this.worker = worker;
        this.lane = lane;
        this.dispatcher = dispatcher;
        this.wake = dispatcher.lock.newCondition();
        this.thread = new Thread(this::work, "coral-device-" + worker.device().info().id() + "-" + number);
        this.thread.setDaemon(true);
    }

    DeviceWorker worker() {
        return worker;
    }

    void start() {
        thread.start();
    }

    Thread thread() {
        return thread;
    }

    private void work() {
        try {
            while (!dispatcher.isClosing()) {
                Attempt next = dispatcher.take(this);
                if (next != null) {
                    run(next);
                } else if (!dispatcher.isClosing()) {
                    worker.mend(this);
                }
            }
        } catch (InterruptedException e) {
            LOG.warn("lane interrupted: thread={}", thread.getName());
        } finally {
            worker.laneEnded();
        }
    }

    /** By the thread that the lane was lent to: runs what it was lent for, and gives it back. */
    void runLent() {
        try {
            run(attempt);
        } finally {
            dispatcher.returned(this);
        }
    }

    private void run(Attempt current) {
        PendingRequest request = current.request;
        String device = worker.device().info().id();
        Completion completion = null;
        try {
            if (request.future.isDone()) {
                throw new CoralException(ErrorCode.CANCELLED, "cancelled before it ran");
            }
            program(current);
            completion = execute(current);
        } catch (DeviceFailure e) {
            dispatcher.deviceFailed(this, current, e);
        } catch (CoralException e) {
            dispatcher.refused(this, current, e);
        } catch (Throwable e) { // whatever an accelerator's code throws must not end the lane
            LOG.error("accelerator failed: accelerator={}, device={}", request.accelerator, device, e);
            dispatcher.refused(this, current, new CoralException(ErrorCode.INTERNAL,
                "accelerator failed: accelerator=" + request.accelerator + ", device=" + device + ", problem=" + e
                    + "; report it", e));
        }
        if (completion != null) {
            dispatcher.succeeded(this, current, completion);
        }
    }

    private void program(Attempt current) {
        if (worker.programming().await(current.stint)) {
            current.work(System.nanoTime());
            long nanos;
            try {
                nanos = worker.programming().program(current.stint);
            } finally {
                current.programmed();
            }
            dispatcher.listener().programmed(worker.device().info(), current.stint.bitstream().toString(), nanos);
        }
    }

    /** Waits hold nothing that another lane of the same stint needs to get on, but for the memory of its own request. */
    private Completion execute(Attempt current) {
        PendingRequest request = current.request;
        Execution execution = Execution.of(current.stint.bitstream(), request.accelerator, request.arguments);
        Semaphore units = current.stint.units(execution.kernel());
        try (DeviceMemory.Pins pins = worker.memory().pin(lane, execution, request.segments())) {
            long placing = System.nanoTime();
            current.work(placing);
            pins.place(execution);
            lane.copyIn(execution);
            long placed = System.nanoTime();
            current.rest(placed);
            units.acquireUninterruptibly();
            long started = System.nanoTime();
            try {
                worker.requireWell();
                current.work(started);
                lane.run(execution);
            } finally {
                units.release();
            }
            long ran = System.nanoTime();
            boolean shared = worker.device().sharesHostMemory();
            if (!shared && current.mayPublish()) {
                lane.copyOut(execution);
            }
            long ended = System.nanoTime();
            current.rest(ended);
            return new Completion(worker.device().info().id(), current.takenNanos - request.submittedNanos,
                shared ? 0 : placed - placing + ended - ran, ran - started);
        }
    }
}
