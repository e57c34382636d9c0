package com.inaccel.coral.engine;

import java.util.Map;

class VisionHostTest extends VisionContract {
    @Override
    Engine startEngine() {
        return Engine.start(EngineConfig.of(Map.of("coral.devices", "host")));
    }
}
