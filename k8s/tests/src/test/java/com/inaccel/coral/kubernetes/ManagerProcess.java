package com.inaccel.coral.kubernetes;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The node's manager, from what its image holds, in a process of its own. */
final class ManagerProcess implements AutoCloseable {
    private final Process process;

    private ManagerProcess(Process process) {
        this.process = process;
    }

    /**
     * Returns when it listens.
     *
     * @param image the tree with {@code bin/coral}
     */
    static ManagerProcess start(Path image, Path log, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(image.resolve("bin/coral").toString(), "node"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(log.toFile());
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("JAVA_OPTIONS", "-Xmx512m -XX:TieredStopAtLevel=1");
        Process process = builder.start();
        BufferedReader output = process.inputReader();
        for (String line; (line = output.readLine()) != null; ) {
            if (line.startsWith("listening on ")) {
                return new ManagerProcess(process);
            }
        }
        throw new AssertionError("manager ended without listening: log=" + log);
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
    }
}
