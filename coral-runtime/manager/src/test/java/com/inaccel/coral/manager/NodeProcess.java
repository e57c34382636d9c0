package com.inaccel.coral.manager;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A manager in a process of its own, as on a node: it can be killed. */
final class NodeProcess implements AutoCloseable {
    /** What a test does while the manager lives. */
    interface Step {
        void run() throws Exception;
    }

    private final Process process;
    private final List<String> printed = new ArrayList<>();

    private NodeProcess(Process process) {
        this.process = process;
    }

    /** Returns when it listens. */
    static NodeProcess start(Path root, String... flags) throws IOException {
        return startWithin("true", root, flags);
    }

    /** @param limits what the shell is to do first, e.g. {@code ulimit -n 100} */
    static NodeProcess startWithin(String limits, Path root, String... flags) throws IOException {
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", limits + "; exec \"$0\" \"$@\"",
            ProcessHandle.current().info().command().orElseThrow(),
            "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", System.getProperty("java.class.path"), Main.class.getName(),
            "node", "--root", root.toString(), "--devices", "host"));
        command.addAll(List.of(flags));
        NodeProcess node = new NodeProcess(
            new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
        BufferedReader output = node.process.inputReader();
        for (String line; (line = output.readLine()) != null; ) {
            node.printed.add(line);
            if (line.startsWith("listening on ")) {
                return node;
            }
        }
        throw new AssertionError("ended without listening: " + node.printed);
    }

    boolean isAlive() {
        return process.isAlive();
    }

    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    void closeAfter(Step step) throws Exception {
        try (this) {
            step.run();
        }
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }
}
