package com.inaccel.coral.engine;

import com.inaccel.coral.Completion;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;

/**
 * Told what happens in an engine, once each time it happens. Called without the engine's locks by whichever thread it
 * happens on, the devices' among them: must be thread-safe, quick, and throw nothing.
 */
public interface EngineListener {
    /** Hears nothing. */
    EngineListener NONE = new EngineListener() { };

    default void requestDone(Allocation allocation, String accelerator, Completion completion) { }

    /**
     * A request was refused, failed or was cancelled.
     *
     * @param accelerator empty when the client named one that is not installed, so that clients cannot invent names here
     * @param message may quote what the client sent
     */
    default void requestFailed(Allocation allocation, String accelerator, ErrorCode code, String message) { }

    /** Found at the start or later; built-in ones are not told. */
    default void bitstreamInstalled(BitstreamInfo bitstream) { }

    default void bitstreamRemoved(BitstreamInfo bitstream) { }

    /** Found, and not used. */
    default void bitstreamRefused(BitstreamInfo bitstream) { }

    /** @param nanos that it took */
    default void programmed(DeviceInfo device, String bitstream, long nanos) { }

    /** It is reset at once and, until that succeeds, not used. */
    default void deviceFailed(DeviceInfo device, String problem) { }

    /** A request ran too long on it, and was given up. */
    default void deviceHung(DeviceInfo device, String problem) { }

    /** After it failed or hung: it works again. */
    default void deviceBack(DeviceInfo device) { }
}
