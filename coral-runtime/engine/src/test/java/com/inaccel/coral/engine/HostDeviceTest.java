package com.inaccel.coral.engine;

import java.util.Map;

class HostDeviceTest extends DeviceContract {
    @Override
    Engine start() {
        return Engine.start(EngineConfig.of(Map.of("coral.devices", "host")));
    }
}
