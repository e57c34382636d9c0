package com.inaccel.coral.engine;

import java.util.List;
import java.util.Map;

/** Engines as they are where there is no OpenCL, on machines that have it. */
public final class FallbackEngine {
    private FallbackEngine() { }

    /** The caller closes it. */
    public static Engine start(String reason) {
        return Engine.start(EngineConfig.of(Map.of()), BitstreamStore.builtIn(),
            List.of(new HostDevice(1L << 30, reason)), 1);
    }
}
