package com.inaccel.coral.functions;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Calls a function: with a file, with an event, or for all objects under a prefix. */
@Command(name = "invoke", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Calls a function with a file, as a CloudEvent if a type is given, or for objects of a bucket.")
final class InvokeCommand implements Callable<Integer> {
    private static final Duration PATIENCE = Duration.ofMinutes(10);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> TYPES = Map.of("png", "image/png", "jpg", "image/jpeg", "jpeg", "image/jpeg",
        "webp", "image/webp", "tif", "image/tiff", "tiff", "image/tiff", "json", "application/json", "txt", "text/plain");

    @Parameters(arity = "0..1", paramLabel = "FILE", description = "what is sent")
    private Optional<Path> file = Optional.empty();

    @Option(names = "--url", paramLabel = "URL", defaultValue = "http://127.0.0.1:8080/", description = "default: ${DEFAULT-VALUE}")
    private URI url;

    @Option(names = "--event", paramLabel = "TYPE", description = "sends the file as the data of a CloudEvent of this type")
    private Optional<String> event = Optional.empty();

    @Option(names = "--bucket", paramLabel = "NAME", description = "processes objects of this bucket, instead of a file")
    private Optional<String> bucket = Optional.empty();

    @Option(names = "--key", paramLabel = "KEY", description = "of one object")
    private Optional<String> key = Optional.empty();

    @Option(names = "--prefix", paramLabel = "PREFIX", description = "of all objects to process; default: all")
    private Optional<String> prefix = Optional.empty();

    @Option(names = "--set", paramLabel = "NAME=VALUE",
        description = "operations, edges, warp or format over what the function is configured for")
    private Map<String, String> settings = new LinkedHashMap<>();

    @Option(names = "--out", paramLabel = "FILE", description = "where the answer goes; default: standard output")
    private Optional<Path> out = Optional.empty();

    @CommandLine.Spec
    private CommandSpec spec;

    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (file.isPresent() == bucket.isPresent()) {
            throw new IllegalArgumentException("give either a file or a bucket");
        }
        if (file.isPresent()) {
            return show(send(fileRequest(file.get())));
        }
        ObjectNode command = JSON.createObjectNode().put("bucket", bucket.get());
        settings.forEach(command::put);
        if (key.isPresent()) {
            return show(send(jsonRequest(command.put("key", key.get()))));
        }
        return all(command.put("prefix", prefix.orElse("")));
    }

    private HttpRequest fileRequest(Path path) throws IOException {
        String name = path.getFileName().toString();
        String extension = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
        String query = settings.entrySet().stream().map(one -> encoded(one.getKey()) + "=" + encoded(one.getValue()))
            .collect(Collectors.joining("&"));
        HttpRequest.Builder request = HttpRequest.newBuilder(query.isEmpty() ? url : URI.create(url + "?" + query))
            .timeout(PATIENCE).header("Content-Type", TYPES.getOrDefault(extension, "application/octet-stream"))
            .POST(HttpRequest.BodyPublishers.ofByteArray(Files.readAllBytes(path)));
        event.ifPresent(type -> request.header("ce-specversion", "1.0").header("ce-type", type)
            .header("ce-source", "/coral/function/invoke").header("ce-id", UUID.randomUUID().toString()));
        return request.build();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private HttpRequest jsonRequest(ObjectNode command) throws IOException {
        return HttpRequest.newBuilder(url).timeout(PATIENCE).header("Content-Type", Answer.JSON)
            .POST(HttpRequest.BodyPublishers.ofByteArray(JSON.writeValueAsBytes(command))).build();
    }

    private HttpResponse<byte[]> send(HttpRequest request) throws IOException, InterruptedException {
        try {
            return client.send(request, HttpResponse.BodyHandlers.ofByteArray());
        } catch (ConnectException e) {
            throw new IOException("nothing listens there: url=" + url + "; start it with ./coral function run", e);
        }
    }

    private int show(HttpResponse<byte[]> answer) throws IOException {
        boolean good = answer.statusCode() < 300;
        answer.headers().firstValue("Server-Timing").ifPresent(timing -> spec.commandLine().getErr().println(timing));
        if (good && out.isPresent()) {
            Files.write(out.get(), answer.body());
        } else {
            String type = answer.headers().firstValue("Content-Type").orElse("");
            spec.commandLine().getOut().println(type.startsWith("image/") ? type + ", " + answer.body().length
                + " bytes: name a file for it with --out" : new String(answer.body(), StandardCharsets.UTF_8));
        }
        return good ? 0 : 1;
    }

    /** Page by page, so that no call takes long: what a broken call has done is found done by the next. */
    private int all(ObjectNode command) throws IOException, InterruptedException {
        Map<String, Integer> outcomes = new LinkedHashMap<>();
        try (ProgressBar bar = new ProgressBar("objects", -1)) {
            for (boolean more = true; more; ) {
                HttpResponse<byte[]> answer = send(jsonRequest(command));
                JsonNode page = JSON.readTree(answer.body());
                if (!page.has("objects")) {
                    return show(answer);
                }
                for (JsonNode object : page.get("objects")) {
                    outcomes.merge(object.has("error") ? object.get("error").asText() : object.get("outcome").asText(), 1,
                        Integer::sum);
                    bar.step();
                }
                more = page.has("next");
                command.set("after", page.get("next"));
            }
        }
        spec.commandLine().getOut().println(outcomes);
        return outcomes.keySet().stream().allMatch(outcome -> outcome.equals(outcome.toLowerCase(Locale.ROOT))) ? 0 : 1;
    }
}
