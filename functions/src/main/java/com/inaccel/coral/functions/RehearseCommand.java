package com.inaccel.coral.functions;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import javax.imageio.ImageIO;
import picocli.CommandLine.Command;

/**
 * Does once all that a function host does, and ends: Java, told so, archives the classes that were loaded (class-data sharing),
 * and the next host starts in half the time. Whatever fails here only leaves classes out.
 */
@Command(name = "rehearse", hidden = true, mixinStandardHelpOptions = true,
    description = "Loads all classes of a function host, for an archive of them.")
final class RehearseCommand implements Callable<Integer> {
    private static final String NOWHERE = "http://127.0.0.1:1";
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int SIDE = 32;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, String> environment = new HashMap<>(Map.of("PORT", "0", "FUNCTION_LINGER", "0s", "FUNCTION_S3_ENDPOINT", NOWHERE));
        System.setProperty("coral.devices", "host");
        System.setProperty("aws.accessKeyId", "rehearsal");
        System.setProperty("aws.secretAccessKey", "rehearsal");
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        try (FunctionHost host = FunctionHost.start(FunctionConfig.of(environment), Coral.EMBEDDED)) {
            host.obstacle();
            URI address = host.address();
            for (String path : new String[] {"healthz", "readyz", "metrics"}) {
                send(client, HttpRequest.newBuilder(address.resolve(path)));
            }
            send(client, post(address, picture()).header("Content-Type", "image/png"));
            send(client, post(address, "{\"bucket\":\"b\",\"key\":\"k\"}".getBytes(StandardCharsets.UTF_8))
                .header("ce-specversion", "1.0").header("ce-type", "t").header("ce-source", "/s").header("ce-id", "1"));
            send(client, post(address, "{\"bucket\":\"b\",\"key\":\"k\"}".getBytes(StandardCharsets.UTF_8)));
        }
        try {
            Coral.open("unix:/nonexistent/coral.sock", Duration.ZERO).close();
        } catch (CoralException nobodyThere) {
            // as is likely: the way there has been loaded
        }
        return 0;
    }

    private static HttpRequest.Builder post(URI address, byte[] body) {
        return HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofByteArray(body));
    }

    private static void send(HttpClient client, HttpRequest.Builder request) throws IOException, InterruptedException {
        client.send(request.timeout(PATIENCE).build(), HttpResponse.BodyHandlers.discarding());
    }

    private static byte[] picture() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageIO.write(new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_3BYTE_BGR), "png", bytes);
        return bytes.toByteArray();
    }
}
