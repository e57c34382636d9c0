package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;

/**
 * Something that runs accelerators. One thread owns a device and makes all calls, except where a method says otherwise.
 *
 * <p>What goes wrong with the device itself is a {@link DeviceFailure}: the request may run elsewhere. A {@link
 * com.inaccel.coral.CoralException} is final.
 */
interface Device extends AutoCloseable {
    /** Any thread. */
    DeviceInfo info();

    /** Whether the bitstream was made for such a device and in a form that it takes. Any thread. */
    default boolean accepts(Bitstream bitstream) {
        return bitstream.platform().matches(info().vendor(), info().platform()) && understands(bitstream);
    }

    /** Whether it takes the form of the bitstream, whatever platform that names. Any thread. */
    boolean understands(Bitstream bitstream);

    /** Whether a new bitstream leaves the others loaded. Any thread. */
    boolean holdsManyBitstreams();

    /** Whether it works on the host's memory in place: placements take no memory then. Any thread. */
    boolean sharesHostMemory();

    /** Loads a bitstream, which takes from milliseconds to seconds. No placement of this device survives a failure. */
    void program(Bitstream bitstream);

    /** Makes a slice available until the placement is closed: in place, or as a copy. */
    Placement place(HostSlice slice);

    /** Bytes of device memory that {@link #run} needs besides the placements: scratch and passing slices. */
    long workspaceBytes(Execution execution);

    /** Device memory that earlier runs left for later ones. */
    long heldWorkspaceBytes();

    /** Gives back the device memory that earlier runs left for later ones. */
    void releaseWorkspace();

    /** Runs a programmed accelerator and returns when its results are in host memory. */
    Timing run(Execution execution);

    /** Tries to bring a failed device back, its memory and bitstreams lost; throws {@link DeviceFailure} otherwise. */
    void reset();

    /** Makes a call that hangs return, where the device can do that. Any thread. */
    void abort();

    /** Everything placed on it has been closed before. Idempotent. */
    @Override
    void close();

    /** A slice on the device. Closed by its owner, from any thread, once no run uses it. */
    interface Placement extends AutoCloseable {
        /** Device memory that it takes. */
        long deviceBytes();

        @Override
        void close();
    }

    /** What the time went into, in nanoseconds. */
    record Timing(long transferNanos, long runNanos) { }
}
