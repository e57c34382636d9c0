package com.inaccel.coral.engine;

import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.util.List;

class OpenClDeviceTest extends DeviceContract {
    /** Skips the test, with the reason, where there is no OpenCL device. */
    static OpenCl.Found device() {
        OpenCl.Discovery discovery = OpenCl.discover();
        assumeFalse(discovery.devices().isEmpty(), discovery.problem());
        return discovery.devices().get(0);
    }

    @Override
    Engine start() {
        return start(false);
    }

    static Engine start(boolean copies) {
        Device device = new OpenClDevice("cl-0", device(), copies);
        return Engine.start(EngineConfig.defaults(), BitstreamStore.builtIn(), List.of(device), 0);
    }
}
