package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves a few read-only pages over HTTP/1.1. Nothing that a request says but its method, path and Host is looked at.
 *
 * <p>Threads: the JDK's own dispatcher and {@value #THREADS} that answer.
 */
final class HttpListener implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpListener.class);
    private static final int THREADS = 2;
    private static final int BACKLOG = 64;
    /** Seconds in which a client must have sent its request, and taken the answer: both are small. */
    private static final String PATIENCE_SECONDS = "10";
    /** Scripts, styles and data from here and nowhere else, in no frame: a name that a client chose stays text. */
    private static final String POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        + "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    static {
        // Read once, when the JDK's server is loaded; without them a silent client would hold a thread for ever.
        System.setProperty("sun.net.httpserver.maxReqTime", PATIENCE_SECONDS);
        System.setProperty("sun.net.httpserver.maxRspTime", PATIENCE_SECONDS);
    }

    private final HttpServer server;
    private final ExecutorService threads;
    private final Map<String, Page> pages;
    private final boolean onlyLocal;

    /** A page as it is now. */
    interface Content {
        byte[] bytes() throws IOException;
    }

    record Page(String type, Content content) { }

    private HttpListener(HttpServer server, String name, boolean onlyLocal, Map<String, Page> pages) {
        this.server = server;
        this.onlyLocal = onlyLocal;
        this.pages = Map.copyOf(pages);
        AtomicInteger count = new AtomicInteger();
        this.threads = Executors.newFixedThreadPool(THREADS, task -> {
            Thread thread = new Thread(task, "coral-" + name + "-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Starts to listen; the caller closes.
     *
     * @param onlyLocal answers only requests that were addressed to this very machine, so that a web site whose name
     *     was made to point here (DNS rebinding) cannot read through a visitor's browser
     * @param pages by path
     * @throws CoralException INVALID_ARGUMENT when the address cannot be had
     */
    static HttpListener start(
            String name, InetSocketAddress address, boolean onlyLocal, Map<String, Page> pages) {
        HttpServer server;
        try {
            server = HttpServer.create(address, BACKLOG);
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot listen: for=" + name + ", address="
                + text(address) + ", cause=" + e.getMessage() + "; choose another address", e);
        }
        HttpListener listener = new HttpListener(server, name, onlyLocal, pages);
        server.createContext("/", listener::answer);
        server.setExecutor(listener.threads);
        server.start();
        return listener;
    }

    /** As one writes it, with the port that it was given where it asked for any. */
    String address() {
        return text(server.getAddress());
    }

    private static String text(InetSocketAddress address) {
        InetAddress ip = address.getAddress();
        String host = ip == null ? address.getHostString() : ip.getHostAddress();
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            Headers headers = exchange.getResponseHeaders();
            headers.set("Content-Security-Policy", POLICY);
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Referrer-Policy", "no-referrer");
            headers.set("Cross-Origin-Resource-Policy", "same-origin");
            headers.set("Cache-Control", "no-store");
            String method = exchange.getRequestMethod();
            if (!method.equals("GET") && !method.equals("HEAD")) {
                headers.set("Allow", "GET, HEAD");
                exchange.sendResponseHeaders(405, -1);
                return;
            }
            if (onlyLocal && !isLocal(exchange.getRequestHeaders().getFirst("Host"))) {
                exchange.sendResponseHeaders(421, -1);
                return;
            }
            Page page = pages.get(exchange.getRequestURI().getPath());
            if (page == null) {
                exchange.sendResponseHeaders(404, -1);
                return;
            }
            byte[] bytes = page.content.bytes();
            headers.set("Content-Type", page.type);
            if (method.equals("HEAD")) {
                headers.set("Content-Length", Integer.toString(bytes.length));
                exchange.sendResponseHeaders(200, -1);
                return;
            }
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
        } catch (RuntimeException e) {
            LOG.error("page failed: path={}", exchange.getRequestURI().getPath(), e);
        }
    }

    /** Whether the Host header names this machine, by a name that nobody else can make point here. Any port: it may be forwarded. */
    private static boolean isLocal(String host) {
        return host != null && host.matches("(?i)(localhost|127(\\.\\d{1,3}){3}|\\[::1\\])(:\\d{1,5})?");
    }

    /** Hangs up on everybody. */
    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
