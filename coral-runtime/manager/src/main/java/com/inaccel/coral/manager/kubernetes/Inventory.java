package com.inaccel.coral.manager.kubernetes;

import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.engine.FpgaInfo;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/** The FPGAs of this node, as they are now. */
final class Inventory {
    private final Engine engine;

    Inventory(Engine engine) {
        this.engine = engine;
    }

    List<NodeDevice> devices() {
        Map<String, Boolean> healthy = engine.stats().devices().stream()
            .collect(Collectors.toMap(DeviceStats::id, DeviceStats::healthy));
        return engine.fpgas().stream().map(FpgaInfo::device)
            .map(device -> new NodeDevice(device.id(), device.vendor(), device.platform(), OptionalInt.empty(),
                healthy.get(device.id()) ? "" : "device failed and is being mended"))
            .toList();
    }
}
