package com.inaccel.coral.engine;

import java.util.Map;

/** On an emulated FPGA, where inputs and results are copied to and from memory of the device's own. */
class VisionEmulatedTest extends VisionContract {
    @Override
    Engine startEngine() {
        return Engine.start(EngineConfig.of(
            Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "0ms")));
    }
}
