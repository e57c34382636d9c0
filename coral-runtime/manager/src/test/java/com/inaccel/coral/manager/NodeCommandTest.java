package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

@Timeout(120)
class NodeCommandTest {
    private static final int TERMINATED = 128 + 15;

    @TempDir
    Path root;

    private final List<Process> processes = new ArrayList<>();

    @AfterEach
    void nothingIsLeft() throws InterruptedException {
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
        Leaks.assertNone();
    }

    @Test
    void shouldServeUntilTerminatedAndSayWhatItDoes() throws Exception {
        Path file = Files.writeString(root.resolve("coral.properties"),
            "coral.devices = host\ncoral.memory.limit = 128MB\ncoral.queue.limit = 77\n");
        Process node = start("--config", file.toString(), "--memory-limit", "64MB");
        BufferedReader output = node.inputReader();
        List<String> printed = readUntilListening(output);
        assertThat(printed).contains("coral.devices = host (file)", "coral.memory.limit = 64MB (flag)",
            "coral.queue.limit = 77 (file)", "coral.clients.connections = 1024 (default)",
            "listening on " + address());
        assertThat(printed).anyMatch(line -> line.startsWith("device ") && line.contains("memoryBytes="));
        compute();
        node.toHandle().destroy(); // unlike the process's own, it leaves the streams open
        assertThat(node.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(node.exitValue()).isEqualTo(TERMINATED);
        assertThat(output.lines()).containsExactly("stopping", "stopped");
        assertThat(root.resolve(Manager.SOCKET_NAME)).doesNotExist();
    }

    @Test
    void shouldServeAgainAfterItWasKilled() throws Exception {
        Process first = start("--devices", "host");
        readUntilListening(first.inputReader());
        try (Session session = Coral.open(address(), java.time.Duration.ZERO)) {
            first.destroyForcibly().waitFor();
            Leaks.await("the session has ended", java.time.Duration.ofSeconds(5), () -> !session.isOpen());
            SessionContract.assertFails(ErrorCode.CONNECTION_LOST, () -> session.allocate(1));
        }
        SessionContract.assertFails(ErrorCode.NO_MANAGER, () -> Coral.open(address()));
        readUntilListening(start("--devices", "host").inputReader());
        compute();
    }

    @Test
    void shouldServeTheAllocationsThatItIsGivenAndThoseOfBefore() throws Exception {
        Process first = start("--devices", "host", "--memory-limit", "64MB", "--allocation", "a,share=3,quota=16MB",
            "--allocation", "b", "--allocation", "c,quota=25%");
        String place = ", address=unix:" + root.resolve("allocations");
        assertThat(readUntilListening(first.inputReader())).contains(
            "allocation a: share=3, quotaBytes=16777216" + place + "/a/coral.sock",
            "allocation b: share=1, quotaBytes=16777216" + place + "/b/coral.sock",
            "allocation c: share=1, quotaBytes=16777200" + place + "/c/coral.sock");
        first.destroyForcibly().waitFor();
        Process second = start("--devices", "host", "--memory-limit", "64MB", "--allocation", "b,quota=8MB");
        assertThat(readUntilListening(second.inputReader())).contains(
            "allocation a: share=3, quotaBytes=16777216" + place + "/a/coral.sock",
            "allocation b: share=1, quotaBytes=8388608" + place + "/b/coral.sock");
        try (Session session = Coral.open("unix:" + root.resolve("allocations/b/coral.sock"))) {
            SessionContract.assertFails(ErrorCode.QUOTA_EXCEEDED, () -> session.allocate(8388609))
                .hasMessageContaining("allocation=b");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"a,share", "a,share=0", "a,share=x", "a,quota=64", "a,quota=-1MB", "a,quota=101%",
        "a,quota=999999999999999TB", "a,size=1MB", "a,", "", ",share=1", "a/b", "node"})
    void shouldSayWhatIsWrongWithAnAllocation(String flag) {
        StringWriter errors = new StringWriter();
        assertThat(execute(errors, "--devices", "host", "--allocation", flag)).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(errors.toString()).containsPattern("coral: (INVALID_ARGUMENT|QUOTA_EXCEEDED): .+; .+");
        assertThat(root.resolve(Manager.SOCKET_NAME)).doesNotExist();
    }

    @Test
    void shouldRefuseASecondManagerOfTheSameDirectory() throws Exception {
        readUntilListening(start("--devices", "host").inputReader());
        StringWriter errors = new StringWriter();
        assertThat(execute(errors, "--devices", "host")).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(errors.toString()).contains("another manager");
        compute();
    }

    @Test
    void shouldSayWhatIsWrongWithTheConfiguration() throws IOException {
        StringWriter errors = new StringWriter();
        assertThat(execute(errors, "--memory-limit", "lots")).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(execute(errors, "--config", root.resolve("missing").toString()))
            .isEqualTo(CommandLine.ExitCode.SOFTWARE);
        Path misspelt = Files.writeString(root.resolve("misspelt"), "coral.memory.limitt = 64MB\n");
        assertThat(execute(errors, "--config", misspelt.toString())).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(execute(errors, "--memory-limitt", "64MB")).isEqualTo(CommandLine.ExitCode.USAGE);
        assertThat(errors.toString())
            .contains("key=coral.memory.limit, value=lots")
            .contains("file=" + root.resolve("missing"))
            .contains("did you mean coral.memory.limit?")
            .contains("'--memory-limitt'", "Possible solutions: --memory-limit");
        assertThat(root.resolve(Manager.SOCKET_NAME)).doesNotExist();
    }

    @Test
    void shouldPrintTheConfigurationWithoutStarting() {
        StringWriter out = new StringWriter();
        CommandLine command = Main.commandLine();
        command.setOut(new PrintWriter(out, true));
        assertThat(command.execute("config", "--clients-drain", "3s")).isEqualTo(CommandLine.ExitCode.OK);
        assertThat(command.execute("config", "--markdown")).isEqualTo(CommandLine.ExitCode.OK);
        assertThat(out.toString()).contains("coral.clients.drain = 3s (flag)", "| `coral.clients.drain` | duration |");
    }

    @Test
    void shouldServeConsoleAndMetricsAndWriteEventsWhereItIsTold() throws Exception {
        Path events = root.resolve("events.jsonl");
        Process node = start("--devices", "host", "--console", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
            "--events", events.toString());
        List<String> printed = readUntilListening(node.inputReader());
        compute();
        assertThat(get(printed, "console at ")).contains("console.js");
        assertThat(get(printed, "metrics at ")).contains("coral_requests_total{");
        node.toHandle().destroy();
        assertThat(node.waitFor(30, TimeUnit.SECONDS)).isTrue();
        assertThat(Files.readAllLines(events)).extracting(line -> line.replaceAll(".*\"event\":\"(\\w+)\".*", "$1"))
            .startsWith("manager_started", "client_connected", "device_programmed").endsWith("manager_stopped")
            // A client's end is noticed by its own thread, by when the manager may be stopping.
            .hasSize(6).contains("client_disconnected", "manager_stopping");
    }

    private static String get(List<String> printed, String what) throws IOException {
        String line = printed.stream().filter(one -> one.startsWith(what)).findFirst().orElseThrow();
        try (InputStream page = URI.create(line.substring(what.length())).toURL().openStream()) {
            return new String(page.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private String address() {
        return "unix:" + root.resolve(Manager.SOCKET_NAME);
    }

    private Process start(String... flags) throws IOException {
        List<String> command = new ArrayList<>(List.of(ProcessHandle.current().info().command().orElseThrow(),
            "-cp", System.getProperty("java.class.path"), Main.class.getName(), "node", "--root", root.toString()));
        command.addAll(List.of(flags));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        processes.add(process);
        return process;
    }

    private int execute(StringWriter errors, String... flags) {
        List<String> arguments = new ArrayList<>(List.of("node", "--root", root.toString()));
        arguments.addAll(List.of(flags));
        CommandLine command = Main.commandLine();
        command.setErr(new PrintWriter(errors, true));
        command.setOut(new PrintWriter(new StringWriter()));
        return command.execute(arguments.toArray(String[]::new));
    }

    private static List<String> readUntilListening(BufferedReader output) throws IOException {
        List<String> lines = new ArrayList<>();
        for (String line; (line = output.readLine()) != null; ) {
            lines.add(line);
            if (line.startsWith("listening on ")) {
                return lines;
            }
        }
        throw new AssertionError("ended without listening: " + lines);
    }

    private void compute() {
        try (Session session = Coral.open(address()); Segment output = session.allocate(4096)) {
            session.submit(SessionContract.add(session, output, 0, 16, 4)).join();
        }
    }
}
