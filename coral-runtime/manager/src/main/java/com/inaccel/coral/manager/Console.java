package com.inaccel.coral.manager;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineStats;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.manager.HttpListener.Page;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Properties;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The manager's page: one HTML file that asks for {@code /api/state} each second. Read-only and without authentication,
 * so it listens to this machine only.
 *
 * <p>Threads: those of its {@link HttpListener}, and one that samples the engine each second.
 */
final class Console implements AutoCloseable {
    static final String STATE_PATH = "/api/state";
    static final String METRICS_PATH = "/metrics";
    private static final Logger LOG = LoggerFactory.getLogger(Console.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String UTF_8 = "; charset=utf-8";

    private final Engine engine;
    private final Telemetry telemetry;
    private final String managerAddress;
    private final long startedMillis = System.currentTimeMillis();
    private final History history = new History();
    private final ScheduledExecutorService sampler;
    private final HttpListener listener;

    private Console(InetSocketAddress address, Engine engine, Telemetry telemetry, String managerAddress) {
        this.engine = engine;
        this.telemetry = telemetry;
        this.managerAddress = managerAddress;
        this.listener = HttpListener.start("console", address, /* onlyLocal= */ true, Map.of(
            "/", resource("index.html", "text/html"),
            "/console.css", resource("console.css", "text/css"),
            "/console.js", resource("console.js", "text/javascript"),
            "/icon.svg", resource("icon.svg", "image/svg+xml"),
            "/uplot.css", library("uPlot.min.css", "text/css"),
            "/uplot.js", library("uPlot.iife.min.js", "text/javascript"),
            STATE_PATH, new Page("application/json", () -> JSON.writeValueAsBytes(state())),
            METRICS_PATH, metrics(telemetry)));
        this.sampler = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "coral-console-sampler");
            thread.setDaemon(true);
            return thread;
        });
        sampler.scheduleAtFixedRate(this::sample, 0, 1, TimeUnit.SECONDS);
    }

    /**
     * Starts to serve; the caller closes it before the engine.
     *
     * @param managerAddress where clients find the manager, to show
     * @throws CoralException INVALID_ARGUMENT when others than this machine would be listened to, or the address is taken
     */
    static Console start(InetSocketAddress address, Engine engine, Telemetry telemetry, String managerAddress) {
        if (address.isUnresolved() || !address.getAddress().isLoopbackAddress()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "console has no authentication, so it may listen to this "
                + "machine only: address=" + address.getHostString() + ":" + address.getPort()
                + "; use 127.0.0.1:" + address.getPort() + " and forward the port (kubectl port-forward, ssh -L)");
        }
        return new Console(address, engine, telemetry, managerAddress);
    }

    /** Only the metrics, for scrapers anywhere. */
    static HttpListener startMetrics(InetSocketAddress address, Telemetry telemetry) {
        return HttpListener.start("metrics", address, /* onlyLocal= */ false, Map.of(METRICS_PATH, metrics(telemetry)));
    }

    String address() {
        return listener.address();
    }

    private void sample() {
        try {
            history.sample(System.currentTimeMillis(), System.nanoTime(), engine.stats(), telemetry.metrics().totals());
        } catch (RuntimeException e) { // one that escaped would end the sampling for ever
            LOG.error("sampling failed", e);
        }
    }

    private ConsoleState state() {
        EngineStats stats = engine.stats();
        double rate = 0;
        List<ConsoleState.Allocation> allocations = new ArrayList<>();
        for (AllocationStats one : stats.allocations()) {
            History.Rates rates = history.rates(one.allocation().name());
            rate += rates.donePerSecond();
            allocations.add(new ConsoleState.Allocation(one.allocation().name(), one.allocation().share(), one.sessions(),
                one.waiting(), rates.donePerSecond(), rates.failedPerSecond(), orNull(rates.waitP50Seconds()),
                orNull(rates.waitP95Seconds()), one.segments(), one.usedBytes(), one.pooledBytes(),
                one.allocation().quotaBytes()));
        }
        return new ConsoleState(ConsoleState.VERSION, System.currentTimeMillis(), startedMillis, managerAddress,
            new ConsoleState.Engine(telemetry.done(), telemetry.failed(), telemetry.cancelled(), rate, stats.queueLength(), stats.retries(), stats.hostFallbacks() > 0, stats.usedBytes(), stats.pooledBytes(),
                stats.limitBytes()),
            devices(stats), allocations, history.lines(), telemetry.requests().latestFirst(),
            telemetry.events().failures().stream().map(Event::toJson).toList());
    }

    private List<ConsoleState.Device> devices(EngineStats stats) {
        Map<String, Integer> utilization = history.utilization();
        List<ConsoleState.Device> devices = new ArrayList<>();
        List<DeviceInfo> infos = engine.devices();
        for (int i = 0; i < infos.size(); i++) {
            DeviceInfo info = infos.get(i);
            DeviceStats device = stats.devices().get(i);
            devices.add(new ConsoleState.Device(info.id(), info.vendor(), info.platform(), info.description(),
                device.healthy(), device.bitstream(), info.computeUnits(), utilization.getOrDefault(info.id(), 0),
                device.running(), device.residentBytes(), info.memoryBytes(), device.requests(), device.failures(), device.programmings(),
                device.evictions()));
        }
        return devices;
    }

    private static Double orNull(OptionalDouble value) {
        return value.isPresent() ? value.getAsDouble() : null;
    }

    private static Page metrics(Telemetry telemetry) {
        return new Page(Metrics.CONTENT_TYPE, () -> {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            telemetry.metrics().write(out);
            return out.toByteArray();
        });
    }

    private static Page resource(String name, String type) {
        byte[] bytes = read("console/" + name);
        return new Page(type + UTF_8, () -> bytes);
    }

    /** The chart library, from its own jar. */
    private static Page library(String name, String type) {
        Properties jar = new Properties();
        try (InputStream in = Console.class.getResourceAsStream("/META-INF/maven/org.webjars.npm/uplot/pom.properties")) {
            jar.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        byte[] bytes = read("/META-INF/resources/webjars/uplot/" + jar.getProperty("version") + "/dist/" + name);
        return new Page(type + UTF_8, () -> bytes);
    }

    private static byte[] read(String resource) {
        try (InputStream in = Console.class.getResourceAsStream(resource)) {
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What the page shows goes with it: what is counted stays with the telemetry. */
    @Override
    public void close() {
        listener.close();
        sampler.shutdownNow();
    }

    /** For {@code coral top}. */
    static ConsoleState parse(byte[] answer) throws IOException {
        try {
            ConsoleState state = JSON.readValue(answer, ConsoleState.class);
            if (state.v() == ConsoleState.VERSION) {
                return state;
            }
            throw new IOException("version=" + state.v() + ", known=" + ConsoleState.VERSION);
        } catch (JsonProcessingException e) {
            throw new IOException("not a console's answer: " + e.getOriginalMessage(), e);
        }
    }
}
