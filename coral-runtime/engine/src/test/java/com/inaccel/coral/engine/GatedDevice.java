package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/** A device whose steps a test can hold, count and make fail. */
final class GatedDevice implements Device {
    enum Step { PROGRAM, PLACE, COPY_IN, RUN, COPY_OUT }

    private final Device device;
    private final Set<Step> held = EnumSet.noneOf(Step.class);
    private final Map<Step, Integer> let = new EnumMap<>(Step.class);
    private final Map<Step, Integer> entered = new EnumMap<>(Step.class);
    private final Map<Step, Integer> inside = new EnumMap<>(Step.class);
    private final Map<Step, Integer> most = new EnumMap<>(Step.class);
    private Step failing;
    private Thread runner;

    GatedDevice(Device device) {
        this.device = device;
    }

    /** From now on whoever comes to the step waits there. */
    synchronized void hold(Step step) {
        held.add(step);
    }

    /** Lets one through. */
    synchronized void letOne(Step step) {
        let.merge(step, 1, Integer::sum);
        notifyAll();
    }

    synchronized void open() {
        held.clear();
        notifyAll();
    }

    /** Once, for whoever passes the step next. */
    synchronized void failNext(Step step) {
        failing = step;
    }

    /** How many came to the step. */
    synchronized int entered(Step step) {
        return entered.getOrDefault(step, 0);
    }

    synchronized int inside(Step step) {
        return inside.getOrDefault(step, 0);
    }

    /** The most that were at the step at once. */
    synchronized int most(Step step) {
        return most.getOrDefault(step, 0);
    }

    /** The thread that came to a run last. */
    synchronized Thread runner() {
        return runner;
    }

    void awaitInside(Step step, int count) {
        Vectors.eventually(count + " at step " + step, () -> inside(step) == count);
    }

    private void pass(Step step, Runnable call) {
        try {
            enter(step);
            call.run();
        } finally {
            leave(step);
        }
    }

    private synchronized void enter(Step step) {
        entered.merge(step, 1, Integer::sum);
        runner = step == Step.RUN ? Thread.currentThread() : runner;
        most.merge(step, inside.merge(step, 1, Integer::sum), Math::max);
        while (held.contains(step) && let.getOrDefault(step, 0) == 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        if (held.contains(step)) {
            let.merge(step, -1, Integer::sum);
        }
        if (failing == step) {
            failing = null;
            throw new DeviceFailure("device=" + info().id() + ", problem=made to fail");
        }
    }

    private synchronized void leave(Step step) {
        inside.merge(step, -1, Integer::sum);
    }

    @Override
    public DeviceInfo info() {
        return device.info();
    }

    @Override
    public boolean understands(Bitstream bitstream) {
        return device.understands(bitstream);
    }

    @Override
    public boolean holdsManyBitstreams() {
        return device.holdsManyBitstreams();
    }

    @Override
    public boolean sharesHostMemory() {
        return device.sharesHostMemory();
    }

    @Override
    public int units(Bitstream.Kernel kernel) {
        return device.units(kernel);
    }

    @Override
    public void program(Bitstream bitstream) {
        pass(Step.PROGRAM, () -> device.program(bitstream));
    }

    @Override
    public Lane lane() {
        return new GatedLane(device.lane());
    }

    @Override
    public void reset() {
        device.reset();
    }

    @Override
    public void abort() {
        open();
        device.abort();
    }

    @Override
    public void close() {
        device.close();
    }

    private final class GatedLane implements Lane {
        private final Lane lane;

        private GatedLane(Lane lane) {
            this.lane = lane;
        }

        @Override
        public Placement place(HostSlice slice) {
            Placement[] placed = new Placement[1];
            pass(Step.PLACE, () -> placed[0] = lane.place(slice));
            return placed[0];
        }

        @Override
        public long scratchBytes(Execution execution) {
            return lane.scratchBytes(execution);
        }

        @Override
        public long heldBytes() {
            return lane.heldBytes();
        }

        @Override
        public void releaseHeld() {
            lane.releaseHeld();
        }

        @Override
        public void copyIn(Execution execution) {
            pass(Step.COPY_IN, () -> lane.copyIn(execution));
        }

        @Override
        public void run(Execution execution) {
            pass(Step.RUN, () -> lane.run(execution));
        }

        @Override
        public void copyOut(Execution execution) {
            pass(Step.COPY_OUT, () -> lane.copyOut(execution));
        }

        @Override
        public void close() {
            lane.close();
        }
    }
}
