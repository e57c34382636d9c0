package com.inaccel.coral.functions;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** Calls a host as anybody would. */
public final class Http {
    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private Http() { }

    /** What came back. */
    public record Reply(int status, String text, byte[] bytes, HttpResponse<byte[]> whole) {
        public String header(String name) {
            return whole.headers().firstValue(name).orElse("");
        }
    }

    public static Reply get(URI host, String path) throws IOException, InterruptedException {
        return reply(CLIENT.send(HttpRequest.newBuilder(host.resolve(path)).timeout(PATIENCE).build(),
            HttpResponse.BodyHandlers.ofByteArray()));
    }

    /** @param headers names and values in turn */
    public static Reply post(URI host, String path, byte[] body, String... headers) throws IOException, InterruptedException {
        return reply(CLIENT.send(request(host, path, body, headers), HttpResponse.BodyHandlers.ofByteArray()));
    }

    public static Reply post(URI host, String path, String body, String... headers) throws IOException, InterruptedException {
        return post(host, path, body.getBytes(StandardCharsets.UTF_8), headers);
    }

    public static CompletableFuture<Reply> postAsync(URI host, String path, byte[] body, String... headers) {
        return CLIENT.sendAsync(request(host, path, body, headers), HttpResponse.BodyHandlers.ofByteArray())
            .thenApply(Http::reply);
    }

    private static HttpRequest request(URI host, String path, byte[] body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(host.resolve(path)).timeout(PATIENCE)
            .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        return (headers.length == 0 ? request : request.headers(headers)).build();
    }

    private static Reply reply(HttpResponse<byte[]> response) {
        return new Reply(response.statusCode(), new String(response.body(), StandardCharsets.UTF_8), response.body(), response);
    }
}
