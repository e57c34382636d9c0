package com.inaccel.coral.functions;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One function behind one small HTTP server. The same function runs on Knative (PORT, CloudEvents), on plain Kubernetes (probes,
 * drain), on OpenFaaS-style hosts (body in, body out) and by Kubeless's contract.
 *
 * <p>Threads: the JDK's dispatcher; one a call that runs, which reads it and answers too; one for deadlines.
 */
public final class FunctionHost implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(FunctionHost.class);
    private static final int BACKLOG = 256;
    /** Seconds in which a caller must have sent its request. */
    private static final String REQUEST_SECONDS = "60";
    private static final long PAUSE_MILLIS = 5;

    static {
        // Read once, when the JDK's server is loaded. Without the first, answers wait for the acknowledgement of their headers;
        // without the others, silent callers would hold threads and connections for ever.
        System.setProperty("sun.net.httpserver.nodelay", "true");
        System.setProperty("sun.net.httpserver.maxReqTime", REQUEST_SECONDS);
        System.setProperty("jdk.httpserver.maxConnections", "1024");
        System.setProperty("sun.net.httpserver.maxIdleConnections", "256");
    }

    private final FunctionConfig config;
    private final HostMetrics metrics = new HostMetrics();
    private final Sessions sessions;
    private final Function function;
    /** Why there is no function; empty where there is one. */
    private final Optional<FunctionException> missing;
    private final CallRunner runner;
    private final CallHandler handler;
    private final HttpServer server;
    private final ExecutorService connections;
    private volatile boolean stopping;
    private volatile boolean everReady;

    private FunctionHost(FunctionConfig config, String coral) throws IOException {
        this.config = config;
        server = listen(config); // first: where that fails nothing is there to be closed
        sessions = new Sessions(coral);
        Loaded loaded = load();
        function = loaded.function;
        missing = loaded.missing;
        AtomicInteger count = new AtomicInteger();
        connections = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "coral-http-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        runner = new CallRunner(function, config.count(FunctionConfig.Key.CONCURRENCY), metrics, connections);
        server.setExecutor(connections);
        handler = new CallHandler(this, runner, metrics, config);
        server.createContext("/", handler);
    }

    private static HttpServer listen(FunctionConfig config) throws IOException {
        InetSocketAddress address =
            new InetSocketAddress(config.text(FunctionConfig.Key.BIND), config.count(FunctionConfig.Key.PORT));
        try {
            return HttpServer.create(address, BACKLOG);
        } catch (IOException e) {
            throw new IOException("cannot listen: address=" + address + ", cause=" + e.getMessage() + "; choose another "
                + FunctionConfig.Key.PORT.variable() + " or " + FunctionConfig.Key.BIND.variable(), e);
        }
    }

    private record Loaded(Function function, Optional<FunctionException> missing) { }

    /** A function that is not there answers too: with what is wrong. */
    private Loaded load() {
        try {
            Function loaded = Handlers.load(config);
            try {
                loaded.open(new FunctionContext(config, sessions, metrics.registry()));
            } catch (IllegalArgumentException e) {
                loaded.close();
                throw new FunctionException(Problem.NO_HANDLER, "the function refuses its configuration: " + e.getMessage(), e);
            }
            return new Loaded(loaded, Optional.empty());
        } catch (FunctionException e) {
            LOG.error("no function: {}", e.getMessage());
            return new Loaded(call -> {
                throw e;
            }, Optional.of(e));
        }
    }

    /**
     * Starts to listen; the caller closes.
     *
     * @param coral address of the accelerators, as {@code Coral.open} takes it
     * @throws IOException where the address cannot be had
     */
    public static FunctionHost start(FunctionConfig config, String coral) throws IOException {
        FunctionHost host = new FunctionHost(config, coral);
        host.server.start();
        return host;
    }

    /** Where it listens, e.g. {@code http://127.0.0.1:8080/}. */
    public URI address() {
        InetAddress ip = server.getAddress().getAddress();
        String name = ip.isAnyLocalAddress() ? "127.0.0.1" : ip.getHostAddress();
        return URI.create("http://" + (name.contains(":") ? "[" + name + "]" : name) + ":" + server.getAddress().getPort() + "/");
    }

    /** Why no calls should be sent here; empty where they should. */
    public Optional<String> obstacle() {
        if (stopping) {
            return Optional.of("stopping");
        }
        if (missing.isPresent()) {
            return missing.map(Throwable::getMessage);
        }
        Optional<String> obstacle = sessions.obstacle(function.accelerators());
        if (obstacle.isEmpty() && !everReady) {
            everReady = true;
            long millis = System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime();
            metrics.started(millis / 1e3);
            LOG.info("ready: coldStartMillis={}, coral={}", millis, sessions.address());
            connections.execute(function::warmUp);
        }
        return obstacle;
    }

    boolean isStopping() {
        return stopping;
    }

    /**
     * Stops: says so at {@code /readyz}; still takes calls for as long as routers need to notice; waits for those that run, and
     * for their answers to have been sent; interrupts what runs even then.
     */
    @Override
    public void close() {
        stopping = true;
        boolean interrupted = waitUntil(config.duration(FunctionConfig.Key.LINGER), () -> false);
        interrupted |= waitUntil(config.duration(FunctionConfig.Key.DRAIN), () -> runner.running() == 0 && handler.hasAnsweredAll());
        int left = runner.running();
        if (left > 0) {
            LOG.warn("calls cut off: count={}, waited={}", left, config.duration(FunctionConfig.Key.DRAIN));
        }
        server.stop(0);
        runner.close();
        connections.shutdown();
        function.close();
        sessions.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns whether it was interrupted, which ends the waiting. */
    private static boolean waitUntil(Duration limit, BooleanSupplier condition) {
        long deadline = System.nanoTime() + limit.toNanos();
        try {
            while (System.nanoTime() - deadline < 0 && !condition.getAsBoolean()) {
                TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            }
            return false;
        } catch (InterruptedException e) {
            return true;
        }
    }
}
