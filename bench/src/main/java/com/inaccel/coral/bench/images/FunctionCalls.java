package com.inaccel.coral.bench.images;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import javax.imageio.ImageIO;

/** Calls the image function as anybody would, and reads what it says of its time. */
final class FunctionCalls {
    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private FunctionCalls() { }

    /** Where the build has left the functions' programs: set by the launcher. */
    static Path home() {
        return Path.of(System.getProperty("functions.home", "functions/target"));
    }

    /** Discs and squares: what edges have to be found of. The same seed gives the same bytes. */
    static byte[] picture(int width, int height, int type, String format, long seed) throws IOException {
        BufferedImage image = new BufferedImage(width, height, type);
        Random random = new Random(seed);
        Graphics2D graphics = image.createGraphics();
        for (int i = 0; i < 40; i++) {
            graphics.setColor(new Color(random.nextInt(256), random.nextInt(256), random.nextInt(256)));
            int side = 2 + random.nextInt(Math.max(2, width / 3));
            if (i % 2 == 0) {
                graphics.fillOval(random.nextInt(width), random.nextInt(height), side, side);
            } else {
                graphics.fillRect(random.nextInt(width), random.nextInt(height), side, side);
            }
        }
        graphics.dispose();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageIO.write(image, format, bytes);
        return bytes.toByteArray();
    }

    static HttpResponse<byte[]> post(URI function, String query, byte[] body, String type)
            throws IOException, InterruptedException {
        return CLIENT.send(HttpRequest.newBuilder(URI.create(function + query)).header("Content-Type", type)
            .POST(HttpRequest.BodyPublishers.ofByteArray(body)).build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    static void requireGood(HttpResponse<byte[]> answer) {
        if (answer.statusCode() != 200) {
            throw new IllegalStateException("the function refuses: status=" + answer.statusCode() + ", answer="
                + new String(answer.body(), StandardCharsets.UTF_8));
        }
    }

    /** Of a Server-Timing header, in milliseconds by stage. */
    static Map<String, Double> stages(String serverTiming) {
        Map<String, Double> stages = new LinkedHashMap<>();
        for (String part : serverTiming.split(", ")) {
            int dur = part.indexOf(";dur=");
            if (dur > 0) {
                stages.put(part.substring(0, dur), Double.valueOf(part.substring(dur + ";dur=".length())));
            }
        }
        return stages;
    }

    /** A metric of the function's, summed over all labels. */
    static double metric(URI function, String name) throws IOException, InterruptedException {
        return CLIENT.send(HttpRequest.newBuilder(function.resolve("metrics")).build(), HttpResponse.BodyHandlers.ofString())
            .body().lines().filter(line -> line.startsWith(name + "{") || line.startsWith(name + " "))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ')))).sum();
    }
}
