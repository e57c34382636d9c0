package com.inaccel.coral.engine;

import com.inaccel.coral.DeviceInfo;
import java.util.Optional;

/**
 * Something that runs accelerators, several requests at once: each on a {@link Lane} of its own. Any thread may call
 * anything here, except where a method says otherwise.
 *
 * <p>What goes wrong with the device itself is a {@link DeviceFailure}: the request may run elsewhere. A {@link
 * com.inaccel.coral.CoralException} is final.
 */
interface Device extends AutoCloseable {
    DeviceInfo info();

    /** Empty where it is none. */
    default Optional<FpgaInfo> fpga() {
        return Optional.empty();
    }

    /** Whether the bitstream was made for such a device and in a form that it takes. */
    default boolean accepts(Bitstream bitstream) {
        return bitstream.platform().matches(info().vendor(), info().platform()) && understands(bitstream);
    }

    /** Whether it takes the form of the bitstream, whatever platform that names. */
    boolean understands(Bitstream bitstream);

    /** Whether a new bitstream leaves the others loaded. */
    boolean holdsManyBitstreams();

    /** Whether it works on the host's memory in place: placements take no memory then. */
    boolean sharesHostMemory();

    /** How many runs of the kernel it carries out at once; further ones wait. */
    int units(Bitstream.Kernel kernel);

    /**
     * Loads a bitstream, which takes from milliseconds to seconds. No placement of this device survives a failure. Where it
     * replaces another bitstream nothing else happens on the device meanwhile.
     */
    void program(Bitstream bitstream);

    /** What one lane works with. The caller closes it before the device. Opens nothing that could fail. */
    Lane lane();

    /**
     * Tries to bring a failed device back, its memory and bitstreams lost; throws {@link DeviceFailure} otherwise. Nothing
     * else happens on the device meanwhile.
     */
    void reset();

    /** Makes calls that hang return, where the device can do that. */
    void abort();

    /** Everything placed on it and its lanes have been closed before. Idempotent. */
    @Override
    void close();

    /**
     * A way for one request at a time through the device: its queue of commands and the memory that a run needs besides
     * placements. For one thread at a time, whose calls return when they are done.
     */
    interface Lane extends AutoCloseable {
        /** Makes a slice available until the placement is closed: in place, or as a copy. */
        Placement place(HostSlice slice);

        /** Bytes of device memory that a run needs besides the placements and the passing slices. */
        long scratchBytes(Execution execution);

        /** Device memory that earlier runs left for later ones. */
        long heldBytes();

        /** Gives back the device memory that earlier runs left for later ones. */
        void releaseHeld();

        /** Copies in the slices that pass through. */
        void copyIn(Execution execution);

        /** Runs a programmed accelerator. Where the host's memory is shared the results are there then. */
        void run(Execution execution);

        /** Copies out the slices that pass through and are written. */
        void copyOut(Execution execution);

        @Override
        void close();
    }

    /** A slice on the device. Closed by its owner, from any thread, once no run uses it. */
    interface Placement extends AutoCloseable {
        @Override
        void close();
    }
}
