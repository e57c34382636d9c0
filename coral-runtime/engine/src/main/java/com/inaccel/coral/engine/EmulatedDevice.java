package com.inaccel.coral.engine;

import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.protocol.SealedMemory;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What an FPGA has and the device that it wraps has not: a vendor and platform name, a memory of its own that is limited,
 * a programming time, one bitstream at a time, so many compute units, and faults.
 *
 * <p>It really works on private copies, so a slice that is not where it should be gives wrong results here as on a card.
 * The wrapped device shares the host's memory and runs in place on the copies.
 */
final class EmulatedDevice implements Device {
    /** What can be made to go wrong. */
    enum Fault {
        NONE,
        /** The next run fails. */
        ERROR,
        /** The next run hangs, until {@link #abort} fails it or {@link #heal} lets it go on. */
        HANG,
        /** Everything fails until {@link #heal}. */
        VANISH
    }

    private final Device base;
    private final DeviceInfo info;
    private final Duration programming;
    private final Duration leastRun;
    private final int units;
    private final AtomicLong placedBytes = new AtomicLong();
    private final Object gate = new Object();
    private Fault fault = Fault.NONE; // guarded by the gate, like the next
    private boolean aborted;

    /** With one compute unit of each accelerator, unless its bitstream has more. Owns the wrapped device. */
    EmulatedDevice(String id, String vendor, String platform, long memoryBytes, Duration programming, Device base) {
        this(id, vendor, platform, memoryBytes, programming, Duration.ZERO, 1, base);
    }

    /**
     * Owns the wrapped device.
     *
     * @param leastRun time that a run takes at least, without any of the processor's
     * @param units compute units of each accelerator, unless its bitstream has more
     */
    EmulatedDevice(String id, String vendor, String platform, long memoryBytes, Duration programming, Duration leastRun,
            int units, Device base) {
        if (!base.sharesHostMemory()) {
            throw new IllegalArgumentException("base must share the host's memory: " + base.info());
        }
        this.base = base;
        this.programming = programming;
        this.leastRun = leastRun;
        this.units = units;
        this.info = new DeviceInfo(id, vendor, platform, "emulated on " + base.info().description(), memoryBytes,
            base.info().computeUnits(), base.info().fallback());
    }

    /** Any thread. */
    void inject(Fault next) {
        synchronized (gate) {
            fault = next;
            aborted = false;
            gate.notifyAll();
        }
    }

    /** Any thread. */
    void heal() {
        inject(Fault.NONE);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public Optional<FpgaInfo> fpga() {
        return Optional.of(new FpgaInfo(info, /* emulated= */ true, /* pciAddress= */ ""));
    }

    @Override
    public boolean understands(Bitstream bitstream) {
        return base.understands(bitstream);
    }

    @Override
    public boolean holdsManyBitstreams() {
        return false;
    }

    @Override
    public boolean sharesHostMemory() {
        return false;
    }

    @Override
    public int units(Bitstream.Kernel kernel) {
        return Math.max(units, kernel.units());
    }

    @Override
    public void program(Bitstream bitstream) {
        requirePresent();
        pause(programming);
        base.program(bitstream);
    }

    @Override
    public Lane lane() {
        return new EmulatedLane(base.lane());
    }

    /** Bytes in memory of our own, and the wrapped device's view of them. */
    private final class Copy implements Placement {
        private final SealedMemory memory;
        private final Placement placement;
        private final long bytes;

        private Copy(Lane lane, long bytes) {
            if (placedBytes.addAndGet(bytes) > info.memoryBytes()) {
                placedBytes.addAndGet(-bytes);
                throw new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED,
                    "device memory exhausted: device=" + info.id() + ", requestedBytes=" + bytes + ", freeBytes="
                        + (info.memoryBytes() - placedBytes.get()) + ", limitBytes=" + info.memoryBytes()
                        + "; use smaller slices");
            }
            SealedMemory created = null;
            try {
                created = SealedMemory.create("coral-emulated", bytes);
                placement = lane.place(new HostSlice(created, 0, bytes, Access.READ_WRITE));
            } catch (RuntimeException | Error e) {
                placedBytes.addAndGet(-bytes);
                if (created != null) {
                    created.close();
                }
                throw e;
            }
            this.memory = created;
            this.bytes = bytes;
        }

        private void fill(HostSlice slice) {
            memory.buffer(0, slice.lengthBytes()).put(slice.buffer());
        }

        private HostSlice over(HostSlice slice) {
            return new HostSlice(memory, 0, slice.lengthBytes(), slice.access());
        }

        @Override
        public void close() {
            if (!memory.isClosed()) {
                placement.close();
                memory.close();
                placedBytes.addAndGet(-bytes);
            }
        }
    }

    /** Copies that runs use and leave for later ones, by argument, over a lane of the wrapped device. */
    private final class EmulatedLane implements Lane {
        private final Lane lane;
        private final Map<Integer, Copy> passing = new HashMap<>();
        private long passingBytes;

        private EmulatedLane(Lane lane) {
            this.lane = lane;
        }

        @Override
        public Placement place(HostSlice slice) {
            requirePresent();
            Copy copy = new Copy(lane, slice.lengthBytes());
            copy.fill(slice);
            return copy;
        }

        @Override
        public long scratchBytes(Execution execution) {
            return lane.scratchBytes(execution);
        }

        @Override
        public long heldBytes() {
            return passingBytes + lane.heldBytes();
        }

        @Override
        public void releaseHeld() {
            passing.values().forEach(Copy::close);
            passing.clear();
            passingBytes = 0;
            lane.releaseHeld();
        }

        @Override
        public void copyIn(Execution execution) {
            requirePresent();
            for (int i = 0; i < execution.arguments().count(); i++) {
                if (execution.passesThrough(i)) {
                    HostSlice slice = execution.arguments().slice(i);
                    passing(i, slice.lengthBytes()).fill(slice);
                }
            }
        }

        private Copy passing(int argument, long bytes) {
            Copy copy = passing.get(argument);
            if (copy == null || copy.bytes < bytes) {
                if (copy != null) {
                    passing.remove(argument);
                    passingBytes -= copy.bytes;
                    copy.close();
                }
                copy = new Copy(lane, bytes);
                passing.put(argument, copy);
                passingBytes += copy.bytes;
            }
            return copy;
        }

        @Override
        public void run(Execution execution) {
            long started = System.nanoTime();
            suffer();
            BoundArguments arguments = execution.arguments();
            HostSlice[] slices = new HostSlice[arguments.count()];
            Placement[] placements = new Placement[arguments.count()];
            for (int i = 0; i < slices.length; i++) {
                slices[i] = arguments.slice(i);
                Copy copy = execution.placements()[i] instanceof Copy resident ? resident
                    : execution.passesThrough(i) ? passing.get(i) : null;
                if (copy != null) {
                    slices[i] = copy.over(slices[i]);
                    placements[i] = copy.placement;
                }
            }
            lane.run(new Execution(execution.bitstream(), execution.kernel(), arguments.over(slices),
                execution.launches(), placements));
            pause(leastRun.minusNanos(System.nanoTime() - started));
        }

        @Override
        public void copyOut(Execution execution) {
            requirePresent();
            for (int i = 0; i < execution.arguments().count(); i++) {
                if (execution.passesThrough(i) && execution.arguments().slice(i).access().writes()) {
                    HostSlice slice = execution.arguments().slice(i);
                    slice.buffer().put(passing.get(i).over(slice).buffer());
                }
            }
        }

        @Override
        public void close() {
            releaseHeld();
            lane.close();
        }
    }

    @Override
    public void reset() {
        requirePresent();
        synchronized (gate) {
            aborted = false;
        }
        base.reset();
    }

    @Override
    public void abort() {
        synchronized (gate) {
            aborted = true;
            gate.notifyAll();
        }
    }

    @Override
    public void close() {
        base.close();
    }

    private void requirePresent() {
        synchronized (gate) {
            if (fault == Fault.VANISH) {
                throw new DeviceFailure("device=" + info.id() + ", problem=vanished");
            }
        }
    }

    private void suffer() {
        requirePresent();
        synchronized (gate) {
            if (fault == Fault.ERROR) {
                fault = Fault.NONE;
                throw new DeviceFailure("device=" + info.id() + ", problem=injected error");
            }
            while (fault == Fault.HANG && !aborted) {
                await(0);
            }
            if (fault == Fault.HANG) {
                fault = Fault.NONE;
                aborted = false;
                throw new DeviceFailure("device=" + info.id() + ", problem=aborted while it hung");
            }
        }
    }

    private void pause(Duration duration) {
        long end = System.nanoTime() + duration.toNanos();
        synchronized (gate) {
            for (long left = duration.toNanos(); left > 0 && !aborted; left = end - System.nanoTime()) {
                await(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            }
        }
    }

    /** With the gate held; 0 waits for a notification only. Callers loop. */
    @SuppressWarnings("WaitNotInLoop")
    private void await(long millis) {
        try {
            gate.wait(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeviceFailure("device=" + info.id() + ", problem=interrupted", e);
        }
    }
}
