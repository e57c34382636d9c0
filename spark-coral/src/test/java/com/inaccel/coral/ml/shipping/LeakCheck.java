package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.protocol.SealedMemory;

/** Opens to other packages' tests what only this one can see. */
public final class LeakCheck {
    private LeakCheck() { }

    /** Bytes of shared memory that this process has mapped once its sessions are closed. */
    public static long sharedMemoryInUse() {
        Sessions.closeAll();
        return SealedMemory.liveBytes();
    }
}
