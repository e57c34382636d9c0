package com.inaccel.coral.engine;

import java.util.Map;

class LogisticHostTest extends LogisticContract {
    @Override
    Engine startEngine() {
        return Engine.start(EngineConfig.of(Map.of("coral.devices", "host")));
    }
}
