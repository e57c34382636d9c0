package com.inaccel.coral.manager;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A headless Chromium, driven by chromedriver over the W3C WebDriver protocol. It may talk to this machine only. */
final class Chromium implements AutoCloseable {
    private static final Path BROWSER = Path.of("/usr/bin/chromium");
    private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
    private static final Pattern STARTED = Pattern.compile("started successfully on port (\\d+)");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
        .proxy(ProxySelector.of(null)).build();
    private final Process driver;
    private final URI base;
    private String session = "";

    /** @param profile an empty directory */
    Chromium(Path profile) throws IOException {
        if (!Files.isExecutable(BROWSER) || !Files.isExecutable(DRIVER)) {
            throw new AssertionError("Chromium is missing, which shows the console as its users see it. Install it with\n"
                + "    sudo apt-get install chromium chromium-driver");
        }
        driver = new ProcessBuilder(DRIVER.toString(), "--port=0").redirectErrorStream(true).start();
        base = URI.create("http://127.0.0.1:" + port() + "/");
        try {
            session = post("session", Map.of("capabilities", Map.of("alwaysMatch", Map.of(
                "goog:chromeOptions", Map.of("binary", BROWSER.toString(), "args", List.of("--headless=new", "--no-sandbox",
                    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server",
                    "--hide-scrollbars", "--user-data-dir=" + profile)),
                "goog:loggingPrefs", Map.of("browser", "ALL", "performance", "ALL"))))).get("sessionId").asText();
        } catch (IOException | RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private int port() throws IOException {
        BufferedReader output = driver.inputReader();
        List<String> said = new ArrayList<>();
        for (String line; (line = output.readLine()) != null; ) {
            said.add(line);
            Matcher matcher = STARTED.matcher(line);
            if (matcher.find()) {
                return Integer.parseInt(matcher.group(1));
            }
        }
        throw new IOException("chromedriver ended: " + said);
    }

    void open(String url) throws IOException {
        post("session/" + session + "/url", Map.of("url", url));
    }

    /** @param script the body of a function */
    JsonNode run(String script, Object... arguments) throws IOException {
        return post("session/" + session + "/execute/sync", Map.of("script", script, "args", Arrays.asList(arguments)));
    }

    /** What a reader sees of an element. */
    String text(String selector) throws IOException {
        return run("const e = document.querySelector(arguments[0]); return e === null ? '' : e.innerText", selector)
            .asText();
    }

    boolean isVisible(String selector) throws IOException {
        return run("const e = document.querySelector(arguments[0]); return e !== null && e.checkVisibility()", selector)
            .asBoolean();
    }

    void click(String selector) throws IOException {
        run("document.querySelector(arguments[0]).click()", selector);
    }

    void size(int width, int height) throws IOException {
        command("Emulation.setDeviceMetricsOverride",
            Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", width < 600));
    }

    void prefer(String colorScheme) throws IOException {
        command("Emulation.setEmulatedMedia",
            Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", colorScheme))));
    }

    byte[] screenshot(boolean wholePage) throws IOException {
        return Base64.getDecoder().decode(command("Page.captureScreenshot",
            Map.of("format", "png", "captureBeyondViewport", wholePage)).get("data").asText());
    }

    /** Warnings and errors that the page wrote or caused since the last call. */
    List<String> problems() throws IOException {
        List<String> problems = new ArrayList<>();
        for (JsonNode entry : log("browser")) {
            if (List.of("WARNING", "SEVERE").contains(entry.get("level").asText())) {
                problems.add(entry.get("message").asText());
            }
        }
        return problems;
    }

    /** Where the page sent requests since the last call. */
    List<URI> requested() throws IOException {
        List<URI> requested = new ArrayList<>();
        for (JsonNode entry : log("performance")) {
            JsonNode message = JSON.readTree(entry.get("message").asText()).get("message");
            if (message.get("method").asText().equals("Network.requestWillBeSent")) {
                requested.add(URI.create(message.at("/params/request/url").asText()));
            }
        }
        return requested;
    }

    private JsonNode log(String type) throws IOException {
        return post("session/" + session + "/se/log", Map.of("type", type));
    }

    private JsonNode command(String name, Map<String, ?> parameters) throws IOException {
        return post("session/" + session + "/goog/cdp/execute", Map.of("cmd", name, "params", parameters));
    }

    private JsonNode post(String path, Map<String, ?> body) throws IOException {
        return send(HttpRequest.newBuilder(base.resolve(path))
            .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(body))));
    }

    private JsonNode send(HttpRequest.Builder request) throws IOException {
        try {
            HttpResponse<String> answer = client.send(
                request.timeout(PATIENCE).header("Content-Type", "application/json").build(),
                HttpResponse.BodyHandlers.ofString());
            JsonNode value = JSON.readTree(answer.body()).get("value");
            if (answer.statusCode() != 200) {
                throw new IOException("browser refuses: " + value);
            }
            return value;
        } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
        }
    }

    /** Ends the browser and its driver. */
    @Override
    public void close() throws IOException {
        try {
            if (!session.isEmpty()) {
                send(HttpRequest.newBuilder(base.resolve("session/" + session)).DELETE());
            }
        } finally {
            driver.descendants().forEach(ProcessHandle::destroyForcibly);
            driver.destroyForcibly();
            driver.onExit().join();
        }
    }
}
