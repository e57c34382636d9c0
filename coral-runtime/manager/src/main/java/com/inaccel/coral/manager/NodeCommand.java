package com.inaccel.coral.manager;

import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.kubernetes.DevicePlugins;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;

/** Runs the node's manager until it is told to stop by SIGTERM or SIGINT. */
@CommandLine.Command(name = "node", description = "Serves this machine's devices to its processes.",
    mixinStandardHelpOptions = true, sortOptions = false)
final class NodeCommand implements Callable<Integer> {
    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @CommandLine.Option(names = "--root", paramLabel = "DIR", required = true,
        description = "Directory for the socket, " + Manager.SOCKET_NAME + ".")
    private Path root;

    @CommandLine.Option(names = "--allocation", paramLabel = "NAME[,share=N][,quota=SIZE]",
        description = "An allocation with a socket of its own, DIR/allocations/NAME/" + Manager.SOCKET_NAME
            + ", also after a restart. Repeatable. Default: share 1, an equal part of the memory.")
    private List<String> allocations = List.of();

    private final CountDownLatch stop = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);

    /** With one flag for each key of the registry: {@code --memory-limit} for {@code coral.memory.limit}. */
    static CommandLine commandLine() {
        return ConfigFlags.addTo(new CommandLine(new NodeCommand()), List.of(EngineConfig.Key.values()));
    }

    @Override
    public Integer call() throws InterruptedException {
        EngineConfig config = ConfigFlags.load(spec);
        PrintWriter out = spec.commandLine().getOut();
        // The JVM halts when its hooks have ended, so the hook waits for this thread to have closed everything.
        Runtime.getRuntime().addShutdownHook(new Thread(this::stopAndWait, "coral-shutdown"));
        try {
            serve(config, out);
        } finally {
            stopped.countDown();
        }
        return CommandLine.ExitCode.OK;
    }

    private void serve(EngineConfig config, PrintWriter out) throws InterruptedException {
        out.println(config.describe());
        try (Telemetry telemetry = new Telemetry(config.file(EngineConfig.Key.EVENTS));
                Engine engine = Engine.start(config, telemetry);
                Manager manager = Manager.start(engine, telemetry, root,
                    new Allocation("node", engine.stats().limitBytes(), 1), Limits.of(config));
                Console console = config.address(EngineConfig.Key.CONSOLE)
                    .map(at -> Console.start(at, engine, telemetry, manager.address())).orElse(null);
                HttpListener metrics = config.address(EngineConfig.Key.METRICS)
                    .map(at -> Console.startMetrics(at, telemetry)).orElse(null);
                DevicePlugins plugins = config.file(EngineConfig.Key.KUBERNETES_PLUGINS).isEmpty() ? null
                    : DevicePlugins.start(config, engine, manager)) {
            for (DeviceInfo device : engine.devices()) {
                out.println("device " + device.id() + ": vendor=" + device.vendor() + ", platform=" + device.platform()
                    + ", memoryBytes=" + device.memoryBytes() + ", computeUnits=" + device.computeUnits()
                    + ", description=" + device.description());
            }
            serveAllocations(manager, engine.stats().limitBytes());
            for (Allocation allocation : manager.allocations()) {
                out.println("allocation " + allocation.name() + ": share=" + allocation.share() + ", quotaBytes="
                    + allocation.quotaBytes() + ", address=" + manager.allocate(allocation));
            }
            if (console != null) {
                out.println("console at http://" + console.address() + "/");
            }
            if (metrics != null) {
                out.println("metrics at http://" + metrics.address() + Console.METRICS_PATH);
            }
            if (plugins != null) {
                out.println("offering FPGAs to Kubernetes in " + config.file(EngineConfig.Key.KUBERNETES_PLUGINS));
            }
            out.println("listening on " + manager.address());
            out.flush();
            stop.await();
            out.println("stopping");
            out.flush();
        }
        out.println("stopped");
        out.flush();
    }

    /** What is given now comes before what an earlier manager was given. */
    private void serveAllocations(Manager manager, long limitBytes) {
        List<Allocation> given = AllocationFlag.parse(allocations, limitBytes);
        for (Allocation before : manager.allocations()) {
            if (given.stream().anyMatch(now -> now.name().equals(before.name()) && !now.equals(before))) {
                manager.release(before.name());
            }
        }
        given.forEach(manager::allocate);
    }

    private void stopAndWait() {
        stop.countDown();
        try {
            stopped.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
