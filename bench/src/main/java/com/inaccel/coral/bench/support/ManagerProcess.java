package com.inaccel.coral.bench.support;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A node manager in a process of its own, as on a real node, for as long as this object is open. */
public final class ManagerProcess implements AutoCloseable {
    private static final String MAIN = "com.inaccel.coral.manager.Main";
    private static final String SOCKET = "coral.sock";
    private static final String METRICS = "metrics at ";
    private static final String READY = "listening on unix:";
    private static final Duration START_LIMIT = Duration.ofSeconds(60);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(10);
    private static final int KEPT_LINES = 40;

    private final Process process;
    private final Path root;
    private final CountDownLatch readyOrEnded = new CountDownLatch(1);
    private final Deque<String> lastLines = new ArrayDeque<>();
    private volatile boolean ready;
    private volatile URI metrics;

    private ManagerProcess(Process process, Path root) {
        this.process = process;
        this.root = root;
    }

    /**
     * Starts {@code node --root root} and returns when it listens. Writes there and to {@code root-tmp} beside it.
     *
     * @param options further ones of {@code node}, e.g. {@code --emulate xilinx/u250:2}
     * @throws CoralException NO_MANAGER with the manager's last words when it does not come up
     */
    public static ManagerProcess start(Path root, List<String> options) throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of("node", "--root", root.toString()));
        arguments.addAll(options);
        // Native libraries unpack themselves here, and stay: beside the root, they go when their owner deletes it all.
        Path temporary = Files.createDirectories(root.resolveSibling(root.getFileName() + "-tmp"));
        List<String> jvmOptions = List.of("-Djava.io.tmpdir=" + temporary,
            "-Dlog4j2.configurationFile=" + System.getProperty("log4j2.configurationFile", ""));
        Process process = ChildJvm.leashed(MAIN, jvmOptions, arguments).redirectErrorStream(true).start();
        ManagerProcess manager = new ManagerProcess(process, root);
        try {
            manager.awaitReady();
        } catch (RuntimeException | InterruptedException failure) {
            manager.close();
            throw failure;
        }
        return manager;
    }

    /** In the form that {@code Coral.open} takes. */
    public String address() {
        return "unix:" + root.resolve(SOCKET);
    }

    /** Of one of the allocations that it was started with. */
    public String address(String allocation) {
        return "unix:" + root.resolve("allocations").resolve(allocation).resolve(SOCKET);
    }

    public long pid() {
        return process.pid();
    }

    /** A metric's sum over all labels, where it was started with {@code --metrics}. */
    public double metric(String name) throws IOException {
        if (metrics == null) {
            throw new IllegalStateException("manager serves no metrics: root=" + root + "; start it with --metrics");
        }
        double sum = 0;
        try (BufferedReader lines = new BufferedReader(
                new InputStreamReader(metrics.toURL().openStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith(name + "{") || line.startsWith(name + " ")) {
                    sum += Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
                }
            }
        }
        return sum;
    }

    private void awaitReady() throws InterruptedException {
        Thread reader = new Thread(this::readOutput, "manager-output");
        reader.setDaemon(true);
        reader.start();
        boolean answered = readyOrEnded.await(START_LIMIT.toSeconds(), TimeUnit.SECONDS);
        if (!ready) {
            throw new CoralException(ErrorCode.NO_MANAGER, "node manager did not start: "
                + (answered ? "ended=true" : "waitedSeconds=" + START_LIMIT.toSeconds())
                + ", root=" + root + "; its last output:\n" + tail());
        }
    }

    /** Drains the pipe to its end: a manager that blocks on a full pipe would serve nobody. */
    private void readOutput() {
        try (BufferedReader output = process.inputReader()) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                keep(line);
                if (line.startsWith(METRICS)) {
                    metrics = URI.create(line.substring(METRICS.length()));
                }
                if (line.contains(READY)) {
                    ready = true;
                    readyOrEnded.countDown();
                }
            }
        } catch (IOException closed) {
            keep(closed.toString());
        } finally {
            readyOrEnded.countDown();
        }
    }

    private synchronized void keep(String line) {
        if (lastLines.size() == KEPT_LINES) {
            lastLines.removeFirst();
        }
        lastLines.addLast(line);
    }

    private synchronized String tail() {
        return String.join("\n", lastLines);
    }

    /** As the kernel does it when memory runs out: at once, with no chance to clean up. Another may start on the same root. */
    public void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** Asks it to end, then insists. Returns when the process is gone. */
    @Override
    public void close() {
        process.destroy();
        boolean interrupted = false;
        try {
            if (!process.waitFor(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException stop) {
            interrupted = true;
            process.destroyForcibly();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
