package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.FailingEngine;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** What the console's port answers to whom, and what {@code coral top} makes of it. */
@Timeout(120)
class ConsoleHttpTest {
    @TempDir
    Path root;

    private final Telemetry telemetry = new Telemetry("");
    private final FailingEngine failing = new FailingEngine(2, telemetry);
    private Manager manager;
    private Console console;

    @BeforeEach
    void start() {
        manager = Manager.start(failing.engine(), telemetry, root, new Allocation("node", 1 << 20, 1), Limits.defaults());
        console = Console.start(any(), failing.engine(), telemetry, manager.address());
    }

    @AfterEach
    void close() {
        try (telemetry; failing; Manager served = manager; Console shown = console) {
            assertThat(Leaks.threads()).contains("coral-console-sampler");
        }
        Leaks.assertNone();
    }

    private static InetSocketAddress any() {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    }

    /** The answer's head and body to a request of these lines. */
    private static String ask(String address, String... lines) throws IOException {
        int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            String request = String.join("\r\n", lines) + "\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "LOCALHOST:9440", "127.0.0.1", "127.8.9.1:80", "[::1]:9440"})
    void shouldAnswerWhoMeansThisMachine(String host) throws IOException {
        assertThat(ask(console.address(), "GET /api/state HTTP/1.1", "Host: " + host)).startsWith("HTTP/1.1 200 ")
            .contains("xilinx-u250-1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rebound.example", "rebound.example:9440", "127.0.0.1.rebound.example", "localhost.example",
        "10.0.0.7:9440", "", "127.0.0.1:9440@rebound.example"})
    void shouldNotAnswerBrowsersThatWereSentHereByAnotherName(String host) throws IOException {
        for (String path : List.of("/", "/api/state", "/metrics")) {
            String answer = ask(console.address(), "GET " + path + " HTTP/1.1", "Host: " + host);
            assertThat(answer).startsWith("HTTP/1.1 421 ").doesNotContain("u250");
        }
    }

    @ParameterizedTest
    @CsvSource({"POST, 405", "PUT, 405", "DELETE, 405", "OPTIONS, 405", "HEAD, 200"})
    void shouldOnlyBeRead(String method, int status) throws IOException {
        String answer = ask(console.address(), method + " / HTTP/1.1", "Host: localhost", "Content-Length: 0");
        assertThat(answer).startsWith("HTTP/1.1 " + status + " ").doesNotContain("<html");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/nothing", "/../index.html", "/console/index.html", "/./", "/%2e%2e/", "/console.css/"})
    void shouldServeItsPagesAndNoFiles(String path) throws IOException {
        assertThat(ask(console.address(), "GET " + path + " HTTP/1.1", "Host: localhost")).startsWith("HTTP/1.1 404 ");
    }

    @Test
    void shouldForbidThePageAllThatItDoesNotNeed() throws IOException {
        for (String path : List.of("/", "/console.js", "/uplot.js", "/api/state", "/nothing")) {
            assertThat(ask(console.address(), "GET " + path + " HTTP/1.1", "Host: localhost"))
                .containsIgnoringCase("Content-Security-Policy: default-src 'none'; script-src 'self';")
                .containsIgnoringCase("frame-ancestors 'none'")
                .containsIgnoringCase("X-Content-Type-Options: nosniff")
                .containsIgnoringCase("Cache-Control: no-store")
                .doesNotContainIgnoringCase("Access-Control-Allow");
        }
    }

    @Test
    void shouldRefuseToServeTheConsoleToOtherMachines() {
        for (String address : List.of("0.0.0.0", "192.0.2.1", "nowhere.invalid")) {
            assertThatThrownBy(() -> Console.start(new InetSocketAddress(address, 0), failing.engine(), telemetry, "unix:x"))
                .isInstanceOf(CoralException.class).hasMessageContaining("no authentication").hasMessageContaining(address);
        }
    }

    @Test
    void shouldServeMetricsAloneWhereverTheyAreAskedFor() throws IOException {
        try (HttpListener metrics = Console.startMetrics(any(), telemetry)) {
            assertThat(ask(metrics.address(), "GET /metrics HTTP/1.1", "Host: 10.1.2.3:9441"))
                .startsWith("HTTP/1.1 200 ").contains("version=0.0.4").contains("coral_device_healthy{");
            assertThat(ask(metrics.address(), "GET /api/state HTTP/1.1", "Host: 10.1.2.3:9441")).startsWith("HTTP/1.1 404 ");
            assertThatThrownBy(() -> Console.startMetrics(new InetSocketAddress(InetAddress.getLoopbackAddress(),
                Integer.parseInt(metrics.address().split(":")[1])), telemetry))
                .isInstanceOf(CoralException.class).hasMessageContaining("address=" + metrics.address());
        }
    }

    @Test
    void shouldShowTheSameInATerminal() {
        manager.allocate(new Allocation("team-recommendations-batch-0042", 1 << 18, 7));
        telemetry.deviceFailed(failing.engine().devices().get(0), "problem=\u001b[31m" + "long ".repeat(50));
        StringWriter out = new StringWriter();
        int status = top(out, new StringWriter(), "--once", "--console", console.address());
        assertThat(status).isEqualTo(CommandLine.ExitCode.OK);
        assertThat(out.toString()).contains(manager.address(), "xilinx-u250-0", "healthy", "team-recommendation…",
            "device_failed", "problem=?[31m").doesNotContain("\u001b");
        assertThat(Arrays.asList(out.toString().split("\n"))).allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(80));
    }

    @Test
    void shouldShowRequestsInATerminal() {
        var session = com.inaccel.coral.Coral.open(manager.address());
        try (session; var output = session.allocate(4096)) {
            session.submit(SessionContract.add(session, output, 0, 16, 4)).join();
            Leaks.await("the request is shown", Duration.ofSeconds(30), () -> {
                StringWriter out = new StringWriter();
                top(out, new StringWriter(), "--once", "--console", console.address());
                return out.toString().contains("com.inaccel.math.Vector.Add  node");
            });
        }
    }

    @Test
    void shouldSayThatThereIsNoConsole() {
        StringWriter errors = new StringWriter();
        String address = console.address();
        console.close();
        assertThat(top(new StringWriter(), errors, "--console", address)).isEqualTo(CommandLine.ExitCode.SOFTWARE);
        assertThat(errors.toString()).contains("NO_MANAGER", "console=" + address, "start the manager with --console");
        console = Console.start(any(), failing.engine(), telemetry, manager.address());
    }

    private static int top(StringWriter out, StringWriter errors, String... arguments) {
        CommandLine command = Main.commandLine();
        command.setOut(new PrintWriter(out));
        command.setErr(new PrintWriter(errors, true));
        String[] all = new String[arguments.length + 1];
        all[0] = "top";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return command.execute(all);
    }
}
