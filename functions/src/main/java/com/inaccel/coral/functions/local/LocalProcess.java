package com.inaccel.coral.functions.local;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A Java program in a process of its own, which ends with this one, however this one ends. */
final class LocalProcess implements AutoCloseable {
    /** The shell waits for the end of its input, whose other end this process alone has. */
    private static final String LEASH = "\"$@\" </dev/null & child=$!; exec >/dev/null 2>&1; cat; kill $child; wait";
    private static final long START_SECONDS = 60;
    private static final long STOP_SECONDS = 40;
    private static final int KEPT_LINES = 40;

    private final Process shell;
    private final ProcessHandle java;
    private final String ready;

    private LocalProcess(Process shell, ProcessHandle java, String ready) {
        this.shell = shell;
        this.java = java;
        this.ready = ready;
    }

    /**
     * Returns when it has printed that it is ready.
     *
     * @param arguments of java
     * @param environment over this process's
     * @param ready is found in the line that says so; its group is kept
     * @throws IOException with its last words where it does not come up
     */
    static LocalProcess start(List<String> arguments, Map<String, String> environment, Pattern ready) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", LEASH, "sh",
            Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(arguments);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process shell = builder.start();
        CompletableFuture<String> started = new CompletableFuture<>();
        Thread reader = new Thread(() -> drain(shell, ready, started), "local-process-output");
        reader.setDaemon(true);
        reader.start();
        try {
            String found = started.get(START_SECONDS, TimeUnit.SECONDS);
            return new LocalProcess(shell, shell.children().filter(child -> child.info().command()
                .filter(path -> path.endsWith("/java")).isPresent()).findFirst().orElseThrow(), found);
        } catch (TimeoutException | ExecutionException e) {
            end(shell);
            throw new IOException("process did not start: arguments=" + arguments + ", cause=" + e.getMessage(), e);
        } catch (InterruptedException e) {
            end(shell);
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** To its end: a program that blocks on a full pipe would serve nobody. */
    private static void drain(Process shell, Pattern ready, CompletableFuture<String> started) {
        Deque<String> last = new ArrayDeque<>();
        try (BufferedReader output = shell.inputReader()) {
            for (String line = output.readLine(); line != null; line = output.readLine()) {
                Matcher matcher = ready.matcher(line);
                if (matcher.find()) {
                    started.complete(matcher.group(1));
                }
                if (last.size() == KEPT_LINES) {
                    last.removeFirst();
                }
                last.addLast(line);
            }
            started.completeExceptionally(new IOException("it ended: " + String.join("\n", last)));
        } catch (IOException e) {
            started.completeExceptionally(e);
        }
    }

    /** What the line that said so had in its group. */
    String ready() {
        return ready;
    }

    long pid() {
        return java.pid();
    }

    /** As the kernel does it when memory runs out: with no chance to clean up. */
    void kill() {
        java.destroyForcibly();
        java.onExit().join();
        end(shell);
    }

    /** Asks it to end, then insists. Returns when it is gone. */
    @Override
    public void close() {
        java.destroy();
        try {
            java.onExit().get(STOP_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            java.destroyForcibly();
            Thread.currentThread().interrupt();
        } catch (TimeoutException | ExecutionException e) {
            java.destroyForcibly();
        }
        java.onExit().join();
        end(shell);
    }

    private static void end(Process shell) {
        try {
            shell.getOutputStream().close();
        } catch (IOException e) {
            shell.destroy(); // the pipe is broken: it has ended, or will
        }
        shell.onExit().join();
    }
}
