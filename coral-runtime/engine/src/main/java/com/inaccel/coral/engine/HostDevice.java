package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;

/** Runs the references in pure Java, on the owner's thread, in the segments' own memory. */
final class HostDevice implements Device {
    private static final Placement IN_PLACE = new Placement() {
        @Override
        public long deviceBytes() {
            return 0;
        }

        @Override
        public void close() { }
    };

    private final DeviceInfo info;

    HostDevice(long memoryBytes) {
        info = new DeviceInfo("host-0", "host", "java",
            "pure Java " + Runtime.version() + " on " + System.getProperty("os.arch"), memoryBytes, 1);
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

    @Override
    public void program(Bitstream bitstream) { }

    @Override
    public Placement place(HostSlice slice) {
        return IN_PLACE;
    }

    @Override
    public long workspaceBytes(Execution execution) {
        return 0;
    }

    @Override
    public long heldWorkspaceBytes() {
        return 0;
    }

    @Override
    public void releaseWorkspace() { }

    @Override
    public Timing run(Execution execution) {
        long started = System.nanoTime();
        execution.accelerator().reference(execution.arguments());
        return new Timing(0, System.nanoTime() - started);
    }

    @Override
    public void reset() { }

    @Override
    public void abort() { }

    @Override
    public void close() { }
}
