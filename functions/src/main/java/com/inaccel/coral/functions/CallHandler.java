package com.inaccel.coral.functions;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.functions.CallRunner.Place;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.cloudevents.CloudEvent;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Between HTTP and the function: probes, metrics, limits, CloudEvents, and an answer to each failure. */
final class CallHandler implements HttpHandler {
    private static final Logger LOG = LoggerFactory.getLogger(CallHandler.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String RETRY_SECONDS = "1";
    /** Read and thrown away of a body that is too long, so that its sender is still there for the answer. */
    private static final long PATIENCE_BYTES = 64L << 20;
    private static final int CHUNK_BYTES = 1 << 16;

    private final FunctionHost host;
    private final CallRunner runner;
    private final HostMetrics metrics;
    private final long bodyLimit;
    private final Duration timeout;
    /** Calls whose answer has not been sent whole. */
    private final AtomicInteger unanswered = new AtomicInteger();

    CallHandler(FunctionHost host, CallRunner runner, HostMetrics metrics, FunctionConfig config) {
        this.host = host;
        this.runner = runner;
        this.metrics = metrics;
        this.bodyLimit = config.bytes(FunctionConfig.Key.BODY_LIMIT);
        this.timeout = config.duration(FunctionConfig.Key.TIMEOUT);
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try {
            switch (exchange.getRequestURI().getPath()) {
                case "/healthz", "/_/health" -> probe(exchange, runner.isStuck()
                    ? Optional.of("every place is taken by a call whose time is up and that does not end") : Optional.empty());
                case "/readyz", "/_/ready" -> probe(exchange, host.obstacle());
                case "/metrics" -> send(exchange, new Answer(200, HostMetrics.CONTENT_TYPE, metrics.text(), Map.of()));
                default -> call(exchange);
            }
        } catch (RuntimeException e) {
            LOG.error("call failed in the host: path={}", exchange.getRequestURI().getPath(), e);
            exchange.close();
        }
    }

    private void probe(HttpExchange exchange, Optional<String> obstacle) throws IOException {
        send(exchange, Answer.text(obstacle.isEmpty() ? 200 : 503, obstacle.orElse("OK") + "\n"));
    }

    private void call(HttpExchange exchange) throws IOException {
        unanswered.incrementAndGet();
        boolean elsewhere = false; // another thread answers then, and the exchange is no more to be touched by this one
        try {
            long start = System.nanoTime();
            Optional<Answer> answer = answerOrFailure(exchange, start);
            elsewhere = answer.isEmpty();
            if (!elsewhere) {
                finish(exchange, start, answer.get());
            }
        } finally {
            if (!elsewhere) {
                unanswered.decrementAndGet();
            }
        }
    }

    private Optional<Answer> answerOrFailure(HttpExchange exchange, long start) throws IOException {
        try {
            return answer(exchange, start);
        } catch (FunctionException e) {
            return Optional.of(failure(e.problem(), e.getMessage()));
        } catch (RuntimeException | Error e) {
            LOG.error("call failed in the host: path={}", exchange.getRequestURI().getPath(), e);
            return Optional.of(failure(Problem.HANDLER_FAILED, "the function host failed: cause=" + e + "; its log says where"));
        }
    }

    private void finish(HttpExchange exchange, long start, Answer answer) throws IOException {
        metrics.answered(answer.headers().getOrDefault(FunctionException.HEADER, HostMetrics.OK), System.nanoTime() - start);
        send(exchange, answer);
    }

    /** Its thread is still at it. */
    private void finishLate(HttpExchange exchange, long start, FunctionException timeUp) {
        try {
            finish(exchange, start, failure(timeUp.problem(), timeUp.getMessage()));
        } catch (IOException e) {
            LOG.debug("nobody waits for the answer any more: cause={}", e.getMessage());
        } finally {
            unanswered.decrementAndGet();
        }
    }

    boolean hasAnsweredAll() {
        return unanswered.get() == 0;
    }

    private Optional<Answer> answer(HttpExchange exchange, long start) throws IOException {
        Place place = runner.take();
        Call call;
        try {
            call = read(exchange, start);
        } catch (IOException | RuntimeException | Error e) {
            place.giveBack();
            throw e;
        }
        try {
            return runner.run(call, place, timeUp -> finishLate(exchange, start, timeUp));
        } catch (FunctionException e) {
            throw e;
        } catch (CoralException e) {
            throw FunctionException.of(e);
        } catch (Exception e) {
            LOG.warn("the function failed", e);
            return Optional.of(failure(Problem.HANDLER_FAILED, "the function failed: cause=" + e + "; its log says where"));
        }
    }

    private Call read(HttpExchange exchange, long start) throws IOException {
        Map<String, String> headers = new TreeMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT),
            String.join(",", values)));
        byte[] body = body(exchange, headers.getOrDefault("content-length", ""));
        Optional<CloudEvent> event = CloudEvents.read(headers, body);
        byte[] data = event.map(CloudEvents::data).orElse(body);
        String type = event.map(CloudEvent::getDataContentType).orElse(headers.getOrDefault("content-type", ""));
        return new Call(exchange.getRequestMethod(), exchange.getRequestURI().getPath(),
            query(exchange.getRequestURI().getRawQuery()), headers, data, type, event, start + timeout.toNanos());
    }

    private byte[] body(HttpExchange exchange, String declared) throws IOException {
        InputStream in = exchange.getRequestBody();
        boolean tooLong = declared.matches("\\d{1,18}") && Long.parseLong(declared) > bodyLimit;
        byte[] body = tooLong ? new byte[0] : in.readNBytes((int) bodyLimit);
        if (tooLong || in.read() >= 0) {
            drain(in);
            throw new FunctionException(Problem.TOO_LARGE, "body too long: limitBytes=" + bodyLimit
                + "; put it into a bucket and send its key, or raise " + FunctionConfig.Key.BODY_LIMIT.variable());
        }
        return body;
    }

    private static void drain(InputStream in) throws IOException {
        byte[] chunk = new byte[CHUNK_BYTES];
        long drained = 0;
        for (int read = 0; read >= 0 && drained < PATIENCE_BYTES; read = in.read(chunk)) {
            drained += read;
        }
    }

    static Map<String, String> query(String raw) {
        Map<String, String> query = new LinkedHashMap<>();
        for (String pair : raw == null || raw.isEmpty() ? new String[0] : raw.split("&")) {
            int equals = pair.indexOf('=');
            try {
                query.put(URLDecoder.decode(equals < 0 ? pair : pair.substring(0, equals), StandardCharsets.UTF_8),
                    equals < 0 ? "" : URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                throw new FunctionException(Problem.BAD_REQUEST, "not an encoded query: part=" + pair, e);
            }
        }
        return query;
    }

    private static Answer failure(Problem problem, String message) {
        try {
            return Answer.json(problem.status(), JSON.writeValueAsBytes(Map.of("error", problem.name(), "message", message)))
                .with(FunctionException.HEADER, problem.name());
        } catch (IOException e) {
            throw new AssertionError("two strings are JSON", e);
        }
    }

    /** Ends the exchange. */
    private void send(HttpExchange exchange, Answer answer) throws IOException {
        Headers headers = exchange.getResponseHeaders();
        answer.headers().forEach(headers::set);
        headers.set("X-Content-Type-Options", "nosniff");
        if (!answer.contentType().isEmpty()) {
            headers.set("Content-Type", answer.contentType());
        }
        if (answer.status() == Problem.TOO_MANY_CALLS.status() || answer.status() == Problem.STOPPING.status()) {
            headers.set("Retry-After", RETRY_SECONDS);
        }
        if (host.isStopping()) {
            headers.set("Connection", "close"); // the next call goes to another host
        }
        boolean head = exchange.getRequestMethod().equals("HEAD");
        try (exchange) {
            exchange.sendResponseHeaders(answer.status(), head || answer.body().length == 0 ? -1 : answer.body().length);
            if (!head && answer.body().length > 0) {
                exchange.getResponseBody().write(answer.body());
            }
        }
    }
}
