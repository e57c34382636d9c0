package com.inaccel.coral.engine;

import java.time.Duration;
import java.util.List;

class EmulatedHostDeviceTest extends DeviceContract {
    @Override
    Engine start() {
        Device device = new EmulatedDevice("xilinx-u250-0", "xilinx", "u250", 4 << 20, Duration.ofMillis(1),
            new HostDevice(1L << 30));
        return Engine.start(EngineConfig.defaults(), BitstreamStore.builtIn(), List.of(device), 0);
    }
}
