package com.inaccel.coral.manager;

import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import com.inaccel.coral.engine.FpgaInfo;
import com.inaccel.coral.manager.inventory.Inventory;
import com.inaccel.coral.manager.inventory.NodeDevice;
import com.inaccel.coral.manager.kubernetes.Resource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;

/** Looks for devices as a node manager does when it starts, beside one that runs or without. */
@CommandLine.Command(name = "devices", mixinStandardHelpOptions = true, sortOptions = false,
    description = "Lists this machine's FPGAs as a node manager would find and offer them, and why one cannot be used.")
final class DevicesCommand implements Runnable {
    private static final List<Key> KEYS = List.of(Key.DEVICES, Key.EMULATE, Key.SYSFS, Key.SHARE, Key.KUBERNETES_RESOURCES);

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    static CommandLine commandLine() {
        return ConfigFlags.addTo(new CommandLine(new DevicesCommand()), KEYS);
    }

    @Override
    public void run() {
        EngineConfig config = ConfigFlags.load(spec);
        Map<String, Resource> resources = Resource.parse(config.list(Key.KUBERNETES_RESOURCES));
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("ID", "VENDOR", "PLATFORM", "SHELL", "PCI", "NUMA", "OFFERED AS", "HEALTH", "REASON"));
        Inventory inventory = Inventory.of(config);
        try (Engine engine = Engine.start(config)) {
            for (NodeDevice device : inventory.devices(engine)) {
                Resource resource = resources.get(device.vendor());
                rows.add(List.of(device.id(), device.vendor(), orDash(device.platform()), orDash(device.shell()),
                    orDash(device.pciAddress()), device.numaNode().isPresent() ? "" + device.numaNode().getAsInt() : "-",
                    resource == null ? "-" : resource.name() + ": " + config.count(Key.SHARE),
                    device.isHealthy() ? "healthy" : "unhealthy", device.emulated() ? "emulated" : device.problem()));
            }
            Set<String> fpgas = engine.fpgas().stream().map(FpgaInfo::device).map(DeviceInfo::id).collect(Collectors.toSet());
            engine.devices().stream().filter(device -> !fpgas.contains(device.id())).forEach(device ->
                rows.add(List.of(device.id(), device.vendor(), device.platform(), "-", "-", "-", "-", "healthy", "no FPGA")));
        }
        Table.print(spec.commandLine().getOut(), rows);
    }

    private static String orDash(String text) {
        return text.isEmpty() ? "-" : text;
    }
}
