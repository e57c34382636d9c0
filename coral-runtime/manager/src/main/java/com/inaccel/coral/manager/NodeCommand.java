package com.inaccel.coral.manager;

import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.inventory.Inventory;
import com.inaccel.coral.manager.inventory.NodeDevice;
import com.inaccel.coral.manager.kubernetes.DevicePlugins;
import com.inaccel.coral.manager.kubernetes.NodeLabels;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
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

    /** For whoever restarts what failed for a while, as sysexits.h has it. */
    private static final int START_AGAIN = 75;
    private static final long TURN_POLL_MILLIS = 20;

    private final CountDownLatch stop = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);
    private volatile int exitCode = CommandLine.ExitCode.OK;

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
            out.println(config.describe());
            out.flush();
            Inventory inventory = Inventory.of(config);
            try (Telemetry telemetry = new Telemetry(config.file(EngineConfig.Key.EVENTS));
                    NodeLabels labels = config.word(EngineConfig.Key.KUBERNETES_NODE).isEmpty() ? null
                        : NodeLabels.of(config, telemetry.metrics()::labelsFailed)) {
                Optional<DirectoryLock> turn = awaitTurn(config.duration(EngineConfig.Key.STANDBY), out);
                if (turn.isPresent()) {
                    serve(config, out, inventory, telemetry, Optional.ofNullable(labels), turn.get());
                }
            }
            out.println("stopped");
            out.flush();
        } finally {
            stopped.countDown();
        }
        return exitCode;
    }

    /** Before there is an engine: two must not have the same devices. @return empty when told to stop meanwhile */
    private Optional<DirectoryLock> awaitTurn(Duration limit, PrintWriter out) throws InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        Optional<DirectoryLock> turn = Manager.lock(root);
        if (turn.isEmpty() && !limit.isZero()) {
            out.println("standing by while another manager serves " + root);
            out.flush();
        }
        while (turn.isEmpty()) {
            if (System.nanoTime() - deadline >= 0) {
                throw Manager.inUse(root);
            }
            if (stop.await(TURN_POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                return Optional.empty();
            }
            turn = Manager.lock(root);
        }
        return turn;
    }

    private static Engine startEngine(EngineConfig config, Telemetry telemetry, DirectoryLock turn) {
        try {
            return Engine.start(config, telemetry);
        } catch (RuntimeException | Error e) {
            turn.close();
            throw e;
        }
    }

    private void serve(EngineConfig config, PrintWriter out, Inventory inventory, Telemetry telemetry,
            Optional<NodeLabels> labels, DirectoryLock turn) throws InterruptedException {
        try (Engine engine = startEngine(config, telemetry, turn);
                Manager manager = Manager.start(engine, telemetry, root,
                    new Allocation("node", engine.stats().limitBytes(), 1), Limits.of(config), turn);
                Console console = config.address(EngineConfig.Key.CONSOLE)
                    .map(at -> Console.start(at, engine, telemetry, manager.address())).orElse(null);
                HttpListener metrics = config.address(EngineConfig.Key.METRICS)
                    .map(at -> Console.startMetrics(at, telemetry)).orElse(null);
                DevicePlugins plugins = config.file(EngineConfig.Key.KUBERNETES_PLUGINS).isEmpty() ? null
                    : DevicePlugins.start(config, engine, manager, () -> devices(inventory, engine))) {
            labels.ifPresent(one -> one.start(() -> devices(inventory, engine)));
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
            labels.ifPresent(NodeLabels::leave);
        }
    }

    /** Drivers are asked for devices once. A card that comes later is worth a restart, which sessions outlive. */
    private List<NodeDevice> devices(Inventory inventory, Engine engine) {
        List<NodeDevice> now = inventory.devices(engine);
        if (Inventory.needAnotherEngine(now) && exitCode == CommandLine.ExitCode.OK) {
            exitCode = START_AGAIN;
            stop.countDown();
        }
        return now;
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
