package com.inaccel.coral.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.functions.Http.Reply;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class FunctionHostTest {
    private static final String GATED = GatedFunction.class.getName();
    private static final byte[] NOTHING = {};

    @TempDir
    private Path directory;

    private FunctionHost host;

    @BeforeEach
    void reset() {
        GatedFunction.ENTERED.drainPermits();
        GatedFunction.GATE.drainPermits();
        GatedFunction.interrupted = new CountDownLatch(1);
    }

    @AfterEach
    void close() {
        GatedFunction.GATE.release(100);
        if (host != null) {
            host.close();
        }
    }

    @Test
    void shouldPassBinaryBodiesIntact() throws Exception {
        start(GATED);
        byte[] bytes = new byte[3 << 20];
        new Random(1).nextBytes(bytes);

        assertThat(Http.post(host.address(), "/echo", bytes).bytes()).isEqualTo(bytes);
        assertThat(Http.post(host.address(), "/echo", NOTHING).bytes()).isEmpty();
    }

    @Test
    void shouldPassMethodPathAndQuery() throws Exception {
        start(GATED);

        assertThat(Http.get(host.address(), "/a/b?x=1%202&y&z=%C3%A4").text()).contains("\"method\":\"GET\"",
            "\"path\":\"/a/b\"", "\"x\":\"1 2\"", "\"y\":\"\"", "\"z\":\"ä\"");
        assertThat(Http.post(host.address(), "/", NOTHING, "X", "y").status()).isEqualTo(200);
    }

    @Test
    void shouldTakeCloudEventsInBinaryAndStructuredMode() throws Exception {
        start(GATED);

        Reply binary = Http.post(host.address(), "/", "{\"a\":1}", "ce-specversion", "1.0", "ce-type", "t", "ce-source", "/s",
            "ce-id", "7", "Content-Type", "application/json");
        Reply structured = Http.post(host.address(), "/", "{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"/s\",\"id\":\"8\","
            + "\"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}", "Content-Type", "application/cloudevents+json");

        assertThat(binary.text()).contains("\"event\":\"t 7\"", "{\\\"a\\\":1}", "\"type\":\"application/json\"");
        assertThat(structured.text()).contains("\"event\":\"t 8\"", "{\\\"a\\\":1}", "\"type\":\"application/json\"");
    }

    @Test
    void shouldRefuseWhatSaysItIsACloudEventAndIsNot() throws Exception {
        start(GATED);

        for (Reply reply : new Reply[] {
            Http.post(host.address(), "/", "{\"specversion\":\"1.0\"}", "Content-Type", "application/cloudevents+json"),
            Http.post(host.address(), "/", "no json", "Content-Type", "application/cloudevents+json"),
            Http.post(host.address(), "/", "<a/>", "Content-Type", "application/cloudevents+xml"),
            Http.post(host.address(), "/", "[]", "Content-Type", "application/cloudevents-batch+json"),
            Http.post(host.address(), "/", "{}", "ce-specversion", "1.0"),
            Http.post(host.address(), "/", "{}", "ce-specversion", "9.9", "ce-type", "t", "ce-source", "/s", "ce-id", "1")}) {
            assertThat(reply.status()).as(reply.text()).isEqualTo(400);
            assertThat(reply.text()).contains("BAD_EVENT");
        }
        assertThat(metric("coral_function_calls_total{outcome=\"BAD_EVENT\"}")).isEqualTo(6);
    }

    @Test
    void shouldRunFunctionsByKubelessContract() throws Exception {
        start("Hello.say", "FUNC_TIMEOUT", "7", "FUNCTION_TIMEOUT", "");

        Reply reply = Http.post(host.address(), "/", "you", "event-id", "1", "event-type", "t", "event-time", "now",
            "event-namespace", "ns");

        assertThat(reply.text()).isEqualTo("Hello you 1 t now ns say 7");
        assertThat(Http.get(host.address(), "/").text()).startsWith("Hello  null");
        assertThat(Http.get(host.address(), "/healthz").status()).isEqualTo(200);
        assertThat(Http.get(host.address(), "/metrics").text()).contains("coral_function_calls_total{outcome=\"ok\"} 2.0");
    }

    @Test
    void shouldTakeTheHandlerThatKubelessSets() throws Exception {
        Map<String, String> environment = new HashMap<>(Map.of("PORT", "0", "MOD_NAME", "Hello", "FUNC_HANDLER", "reverse"));
        host = FunctionHost.start(FunctionConfig.of(environment), "embedded:");

        assertThat(Http.post(host.address(), "/", new byte[] {1, -2, 3}).bytes()).containsExactly(3, -2, 1);
    }

    @Test
    void shouldAnswerWithTheCauseWhereAFunctionFails() throws Exception {
        start("io.kubeless.Hello.fail");

        Reply reply = Http.post(host.address(), "/", "x");

        assertThat(reply.status()).isEqualTo(500);
        assertThat(reply.text()).contains("HANDLER_FAILED").contains("as it was told: x");
    }

    @Test
    void shouldSayWhichHandlerIsMissing() throws Exception {
        for (Map.Entry<String, String> wrong : Map.of("no.such.Handler.method", "no such class", "Hello.nothing",
            "no such method", "Hello.noMatch", "no such method", "java.lang.String", "not a function", "nothing",
            "no such class").entrySet()) {
            start(wrong.getKey());

            Reply reply = Http.post(host.address(), "/", NOTHING);

            assertThat(reply.status()).as(reply.text()).isEqualTo(501);
            assertThat(reply.text()).contains("NO_HANDLER").contains(wrong.getValue());
            assertThat(Http.get(host.address(), "/readyz").status()).isEqualTo(503);
            assertThat(Http.get(host.address(), "/readyz").text()).contains(wrong.getValue());
            assertThat(metric("coral_function_calls_total{outcome=\"NO_HANDLER\"}")).isEqualTo(1);
            host.close();
        }
    }

    @Test
    void shouldNameTheJarThatCannotBeRead() throws Exception {
        start("my.Function", "FUNCTION_JAR", directory.resolve("none.jar").toString());

        assertThat(Http.post(host.address(), "/", NOTHING).text()).contains("none.jar").contains("NO_HANDLER");
    }

    @Test
    void shouldEnforceTheTimeoutAndInterruptTheCall() throws Exception {
        start(GATED, "FUNCTION_TIMEOUT", "50ms");

        Reply reply = Http.post(host.address(), "/wait", NOTHING);

        assertThat(reply.status()).isEqualTo(504);
        assertThat(reply.text()).contains("TIMEOUT");
        assertThat(GatedFunction.interrupted.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(Http.post(host.address(), "/echo", "still there").text()).isEqualTo("still there");
    }

    @Test
    void shouldAskToBeStartedAnewWhereCallsIgnoreThatTheirTimeIsUp() throws Exception {
        start(GATED, "FUNCTION_TIMEOUT", "50ms", "FUNCTION_CONCURRENCY", "2");

        assertThat(Http.post(host.address(), "/ignore", NOTHING).status()).isEqualTo(504);
        assertThat(Http.get(host.address(), "/healthz").status()).isEqualTo(200);
        assertThat(Http.post(host.address(), "/ignore", NOTHING).status()).isEqualTo(504);

        assertThat(Http.get(host.address(), "/healthz").status()).isEqualTo(503);
        assertThat(Http.post(host.address(), "/echo", NOTHING).status()).isEqualTo(429);
        assertThat(metric("coral_function_calls_overdue ")).isEqualTo(2);
    }

    @Test
    void shouldRefuseMoreCallsThanMayRunAtOnce() throws Exception {
        start(GATED, "FUNCTION_CONCURRENCY", "2");
        CompletableFuture<Reply> first = Http.postAsync(host.address(), "/wait", NOTHING);
        CompletableFuture<Reply> second = Http.postAsync(host.address(), "/wait", NOTHING);
        GatedFunction.ENTERED.acquire(2);

        Reply third = Http.post(host.address(), "/echo", NOTHING);

        assertThat(third.status()).isEqualTo(429);
        assertThat(third.header("Retry-After")).isEqualTo("1");
        assertThat(third.text()).contains("TOO_MANY_CALLS").contains("limit=2");
        GatedFunction.GATE.release(2);
        assertThat(first.get().status()).isEqualTo(200);
        assertThat(second.get().status()).isEqualTo(200);
    }

    @Test
    void shouldRefuseBodiesThatAreTooLong() throws Exception {
        start(GATED, "FUNCTION_BODY_LIMIT", "1KB");

        assertThat(Http.post(host.address(), "/echo", new byte[1024]).status()).isEqualTo(200);
        Reply reply = Http.post(host.address(), "/echo", new byte[1025]);
        assertThat(reply.status()).isEqualTo(413);
        assertThat(reply.text()).contains("TOO_LARGE").contains("limitBytes=1024");
        assertThat(Http.post(host.address(), "/echo", new byte[5 << 20]).status()).isEqualTo(413);
    }

    @Test
    void shouldBeReadyOnlyWhereTheAcceleratorIsReached() throws Exception {
        start(GATED);
        assertThat(Http.get(host.address(), "/readyz").status()).isEqualTo(200);
        assertThat(Http.get(host.address(), "/_/ready").status()).isEqualTo(200);
        assertThat(metric("coral_function_cold_start_seconds ")).isPositive();
        host.close();

        host = FunctionHost.start(config(GATED), "unix:" + directory.resolve("none.sock"));
        Reply reply = Http.get(host.address(), "/readyz");
        assertThat(reply.status()).isEqualTo(503);
        assertThat(reply.text()).contains("none.sock");
        assertThat(Http.get(host.address(), "/healthz").status()).isEqualTo(200);
    }

    @Test
    void shouldFinishWhatRunsBeforeItStops() throws Exception {
        start(GATED);
        CompletableFuture<Reply> running = Http.postAsync(host.address(), "/wait", NOTHING);
        GatedFunction.ENTERED.acquire();

        Thread stopping = new Thread(host::close);
        stopping.start();
        Reply probe = Http.get(host.address(), "/readyz");
        while (probe.status() == 200) {
            probe = Http.get(host.address(), "/readyz");
        }
        GatedFunction.GATE.release();

        assertThat(probe.text()).contains("stopping");
        assertThat(running.get().text()).isEqualTo("went on");
        stopping.join();
        assertThatThrownBy(() -> Http.get(host.address(), "/healthz")).isInstanceOf(IOException.class);
    }

    /** The function has returned, but its caller takes his time to read. */
    @Test
    void shouldSendAnswersWholeBeforeItStops() throws Exception {
        start(GATED);
        byte[] body = new byte[24 << 20]; // more than the kernel keeps between the two
        Arrays.fill(body, (byte) 'x');
        try (Socket caller = new Socket(host.address().getHost(), host.address().getPort())) {
            caller.getOutputStream().write(("POST /echo HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: " + body.length
                + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
            caller.getOutputStream().write(body);
            while (!Http.get(host.address(), "/metrics").text().contains("coral_function_calls_total{outcome=\"ok\"} 1")) {
                Thread.onSpinWait();
            }
            Thread stopping = new Thread(host::close);
            stopping.start();
            stopping.join(500);
            assertThat(stopping.isAlive()).as("waits for the caller").isTrue();
            String answer = new String(caller.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            assertThat(answer.length() - answer.indexOf("\r\n\r\n") - 4).isEqualTo(body.length);
            stopping.join();
        }
    }

    @Test
    void shouldCutOffWhatDoesNotEnd() throws Exception {
        start(GATED, "FUNCTION_DRAIN", "10ms");
        CompletableFuture<Reply> running = Http.postAsync(host.address(), "/wait", NOTHING);
        GatedFunction.ENTERED.acquire();

        host.close();

        assertThat(GatedFunction.interrupted.await(30, TimeUnit.SECONDS)).isTrue();
        assertThatThrownBy(running::get).hasCauseInstanceOf(IOException.class);
    }

    @Test
    void shouldSayWhatIsWrongWithAQuery() throws Exception {
        start(GATED);

        try (var socket = new Socket(InetAddress.getLoopbackAddress(), host.address().getPort())) {
            socket.getOutputStream().write("GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            assertThat(new String(socket.getInputStream().readNBytes(20), StandardCharsets.US_ASCII)).contains(" 400 ");
        }
    }

    private void start(String handler, String... variables) throws IOException {
        host = FunctionHost.start(config(handler, variables), "embedded:");
    }

    private static FunctionConfig config(String handler, String... variables) {
        Map<String, String> environment = new HashMap<>(Map.of("PORT", "0", "FUNCTION_LINGER", "0s", "FUNCTION_HANDLER", handler));
        for (int i = 0; i < variables.length; i += 2) {
            environment.put(variables[i], variables[i + 1]);
        }
        return FunctionConfig.of(environment);
    }

    private double metric(String start) throws Exception {
        return Http.get(host.address(), "/metrics").text().lines().filter(line -> line.startsWith(start))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ')))).sum();
    }
}
