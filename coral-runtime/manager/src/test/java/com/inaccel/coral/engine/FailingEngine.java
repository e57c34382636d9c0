package com.inaccel.coral.engine;

import com.inaccel.coral.engine.EmulatedDevice.Fault;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** An engine on emulated FPGAs that fail when they are told to. */
public final class FailingEngine implements AutoCloseable {
    private final List<EmulatedDevice> devices;
    private final Engine engine;

    /** Devices are named {@code xilinx-u250-0} and so on. */
    public FailingEngine(int devices, EngineListener listener) {
        this.devices = IntStream.range(0, devices)
            .mapToObj(i -> new EmulatedDevice("xilinx-u250-" + i, "xilinx", "u250", 1L << 28, Duration.ZERO,
                new HostDevice(1L << 30)))
            .toList();
        engine = Engine.start(EngineConfig.of(Map.of("coral.device.probe", "10ms")), BitstreamStore.builtIn(),
            List.copyOf(this.devices), 0, listener);
    }

    public Engine engine() {
        return engine;
    }

    /** Every device fails its next request, and stays away. */
    public void vanish() {
        devices.forEach(device -> device.inject(Fault.VANISH));
    }

    /** All devices may come back, and what hangs goes on. */
    public void heal() {
        devices.forEach(EmulatedDevice::heal);
    }

    /** The next request runs until {@link #heal}. */
    public void hang() {
        devices.forEach(device -> device.inject(Fault.HANG));
    }

    @Override
    public void close() {
        heal();
        engine.close();
    }
}
