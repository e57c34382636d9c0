package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;

/** Runs the references in pure Java, on the lanes' threads, in the segments' own memory. */
final class HostDevice implements Device {
    private static final Placement IN_PLACE = () -> { };

    private final DeviceInfo info;

    HostDevice(long memoryBytes) {
        this(memoryBytes, "");
    }

    /** @param fallback as in {@link DeviceInfo} */
    HostDevice(long memoryBytes, String fallback) {
        info = new DeviceInfo("host-0", "host", "java",
            "pure Java " + Runtime.version() + " on " + System.getProperty("os.arch"), memoryBytes, 1, fallback);
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public boolean understands(Bitstream bitstream) {
        return bitstream.isBuiltIn();
    }

    @Override
    public boolean holdsManyBitstreams() {
        return true;
    }

    @Override
    public boolean sharesHostMemory() {
        return true;
    }

    /** Few of the references use more than one thread. */
    @Override
    public int units(Bitstream.Kernel kernel) {
        return Runtime.getRuntime().availableProcessors();
    }

    @Override
    public void program(Bitstream bitstream) { }

    @Override
    public Lane lane() {
        return new HostLane();
    }

    @Override
    public void reset() { }

    @Override
    public void abort() { }

    @Override
    public void close() { }

    /** Holds nothing. */
    private static final class HostLane implements Lane {
        @Override
        public Placement place(HostSlice slice) {
            return IN_PLACE;
        }

        @Override
        public long scratchBytes(Execution execution) {
            return 0;
        }

        @Override
        public long heldBytes() {
            return 0;
        }

        @Override
        public void releaseHeld() { }

        @Override
        public void copyIn(Execution execution) { }

        @Override
        public void run(Execution execution) {
            execution.accelerator().reference(execution.arguments());
        }

        @Override
        public void copyOut(Execution execution) { }

        @Override
        public void close() { }
    }
}
