package com.inaccel.coral.demo.functions;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.bench.support.Scratch;
import com.inaccel.coral.functions.local.LocalFunction;
import com.inaccel.coral.functions.local.LocalS3;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A bucket of photographs, a function and two FPGAs on this machine, and a page of what they did. */
@Command(name = "functions", mixinStandardHelpOptions = true, sortOptions = false, usageHelpAutoWidth = true,
    description = "Upload photographs to an S3 server on this machine, let a function with FPGAs process them, and show it in a page.")
public final class FunctionsDemo implements Callable<Integer> {
    /** Where the build has left the functions' programs: set by the launcher. */
    public static final String HOME = "functions.home";

    private static final String BUCKET = "photos";
    /** Events on their way at once, so that both FPGAs have work. */
    private static final int SENDERS = 3;
    private static final ObjectMapper JSON = new ObjectMapper();

    @Option(names = "--emulate", paramLabel = "VENDOR/PLATFORM:COUNT", defaultValue = "xilinx/u250:2",
        description = "FPGAs that the node manager emulates (${DEFAULT-VALUE})")
    private String emulate;

    @Option(names = "--photos", paramLabel = "N", defaultValue = "100", description = "how many at most")
    private int most;

    @Option(names = "--out", paramLabel = "FILE", defaultValue = "out/functions.html", description = "the page (${DEFAULT-VALUE})")
    private Path out;

    private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Override
    public Integer call() throws IOException, InterruptedException {
        Path home = Path.of(System.getProperty(HOME, "functions/target"));
        try (Scratch scratch = Scratch.create("coral-demo-")) {
            System.err.println("starting an S3 server, a node manager that emulates " + emulate + ", and a function ...");
            try (LocalS3 s3 = LocalS3.start(home, Files.createDirectory(scratch.resolve("s3")));
                    ManagerProcess manager = ManagerProcess.start(scratch.resolve("node"), List.of("--emulate", emulate));
                    LocalFunction function = LocalFunction.start(home, manager.address(), Map.of("FUNCTION_S3_ENDPOINT",
                        s3.endpoint().toString(), "FUNCTION_OPERATIONS", "edges,warp", "FUNCTION_WARP", "angle=12,scale=0.9"))) {
                run(s3, function.address());
            }
        }
        return 0;
    }

    private void run(LocalS3 s3, URI function) throws IOException, InterruptedException {
        double coldStart = coldStart(function);
        List<Photo> photos = Photo.shipped().stream().limit(most).toList();
        s3.createBucket(BUCKET);
        warmUp(s3, function, photos.get(photos.size() - 1));
        List<Processed> processed = new ArrayList<>();
        ExecutorService senders = Executors.newFixedThreadPool(SENDERS);
        try (ProgressBar bar = new ProgressBar("photographs", photos.size())) {
            List<Callable<Processed>> tasks = photos.stream().<Callable<Processed>>map(photo -> () -> {
                s3.put(BUCKET, photo.name(), photo.bytes());
                Processed one = process(s3, function, photo);
                bar.step();
                return one;
            }).toList();
            for (Future<Processed> one : senders.invokeAll(tasks)) {
                processed.add(one.get());
            }
        } catch (ExecutionException e) {
            throw new IOException(e.getCause().getMessage(), e);
        } finally {
            senders.shutdownNow();
        }
        int unchanged = 0;
        for (Photo photo : photos) {
            unchanged += created(function, photo.name()).at("/objects/0/outcome").asText().equals("unchanged") ? 1 : 0;
        }
        Files.createDirectories(out.toAbsolutePath().getParent());
        Files.writeString(out, DemoPage.of(processed, emulate, coldStart, unchanged));
        System.out.printf("%d photographs, their edges and warped copies, on emulated FPGAs: %s%n", processed.size(),
            out.toAbsolutePath().toUri());
    }

    /** What a first call finds not yet compiled is no figure to show. */
    private void warmUp(LocalS3 s3, URI function, Photo small) throws IOException, InterruptedException {
        String key = "warm-up/" + small.name();
        s3.put(BUCKET, key, small.bytes());
        created(function, key);
    }

    private double coldStart(URI function) throws IOException, InterruptedException {
        String metrics = client.send(HttpRequest.newBuilder(function.resolve("metrics")).build(),
            HttpResponse.BodyHandlers.ofString()).body();
        return metrics.lines().filter(line -> line.startsWith("coral_function_cold_start_seconds "))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.indexOf(' ')))).sum();
    }

    private Processed process(LocalS3 s3, URI function, Photo photo) throws IOException, InterruptedException {
        long start = System.nanoTime();
        JsonNode object = created(function, photo.name()).at("/objects/0");
        double millis = (System.nanoTime() - start) / 1e6;
        Map<String, byte[]> results = new LinkedHashMap<>();
        Map<String, String> devices = new LinkedHashMap<>();
        Map<String, Double> deviceMillis = new LinkedHashMap<>();
        for (JsonNode output : object.get("outputs")) {
            String operation = output.get("operation").asText();
            results.put(operation, s3.get(BUCKET, output.get("key").asText()));
            devices.put(operation, output.get("device").asText());
            deviceMillis.put(operation, output.get("deviceMillis").asDouble());
        }
        Map<String, Double> stages = new LinkedHashMap<>();
        object.get("millis").fields().forEachRemaining(stage -> stages.put(stage.getKey(), stage.getValue().asDouble()));
        return new Processed(photo, results.get("edges"), results.get("warp"), devices, deviceMillis, stages, millis);
    }

    /** Sends the notification that S3 would send of a new object, as a CloudEvent: this server sends none. */
    private JsonNode created(URI function, String key) throws IOException, InterruptedException {
        byte[] data = JSON.writeValueAsBytes(Map.of("Records", List.of(Map.of("eventVersion", "2.1", "eventSource", "aws:s3",
            "eventName", "ObjectCreated:Put", "s3", Map.of("bucket", Map.of("name", BUCKET),
                "object", Map.of("key", URLEncoder.encode(key, StandardCharsets.UTF_8)))))));
        HttpResponse<byte[]> answer = client.send(HttpRequest.newBuilder(function)
            .header("Content-Type", "application/json").header("ce-specversion", "1.0").header("ce-id", UUID.randomUUID().toString())
            .header("ce-type", "com.amazonaws.s3.ObjectCreated:Put").header("ce-source", "/demo/" + BUCKET)
            .POST(HttpRequest.BodyPublishers.ofByteArray(data)).build(), HttpResponse.BodyHandlers.ofByteArray());
        if (answer.statusCode() != 200) {
            throw new IOException("the function refuses: key=" + key + ", status=" + answer.statusCode() + ", answer="
                + new String(answer.body(), StandardCharsets.UTF_8));
        }
        return JSON.readTree(answer.body());
    }
}
