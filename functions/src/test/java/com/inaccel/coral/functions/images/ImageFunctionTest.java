package com.inaccel.coral.functions.images;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionHost;
import com.inaccel.coral.functions.Http;
import com.inaccel.coral.functions.Http.Reply;
import com.inaccel.coral.functions.local.LocalS3;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against a real S3 server and a real engine. */
@Timeout(120)
class ImageFunctionTest {
    private static final Path HOME = Path.of(System.getProperty("basedir"), "target");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private static Path directory;

    private static LocalS3 s3;
    private static int buckets;

    private final String bucket = "pictures-" + ++buckets;
    private FunctionHost host;

    @BeforeAll
    static void startServer() throws IOException {
        s3 = LocalS3.start(HOME, Files.createDirectory(directory.resolve("s3")));
        System.setProperty("aws.accessKeyId", LocalS3.ACCESS_KEY);
        System.setProperty("aws.secretAccessKey", LocalS3.SECRET_KEY);
    }

    @AfterAll
    static void stopServer() {
        System.clearProperty("aws.accessKeyId");
        System.clearProperty("aws.secretAccessKey");
        s3.close();
    }

    @BeforeEach
    void makeBucket() {
        s3.createBucket(bucket);
    }

    @AfterEach
    void stop() {
        if (host != null) {
            host.close();
        }
    }

    @Test
    void shouldAnswerAnImageWithItsEdges() throws Exception {
        start();

        Reply reply = Http.post(host.address(), "/", Samples.png(), "Content-Type", "image/png");

        assertThat(reply.status()).as(reply.text()).isEqualTo(200);
        assertThat(reply.header("Content-Type")).isEqualTo("image/png");
        assertThat(reply.header("Server-Timing")).contains("decode;dur=", "device;dur=", "encode;dur=");
        assertThat(reply.header("Coral-Device")).isNotEmpty();
        BufferedImage edges = Samples.decoded(reply.bytes());
        assertThat(edges.getRaster().getSample(32, 24, 0)).isZero();
        assertThat(whites(edges)).isBetween(80L, 224L);
    }

    @Test
    void shouldWarpAsAskedAndChangeTheFormat() throws Exception {
        start();

        Reply reply = Http.post(host.address(), "/?operations=warp&warp=matrix%3D1+0+16+0+1+0,interpolation%3Dnearest&format=tiff",
            Samples.png(), "Content-Type", "image/png");

        assertThat(reply.header("Content-Type")).isEqualTo("image/tiff");
        BufferedImage warped = Samples.decoded(reply.bytes());
        BufferedImage original = Samples.square(64, 48, BufferedImage.TYPE_3BYTE_BGR);
        for (int x = 16; x < 64; x++) {
            assertThat(warped.getRGB(x, 24)).as("x=" + x).isEqualTo(original.getRGB(x - 16, 24));
        }
        assertThat(warped.getRGB(3, 24) & 0xffffff).isZero();
    }

    @Test
    void shouldSayWhatIsWrongWithWhatIsAsked() throws Exception {
        start();

        assertProblem(image("?operations=blur"), 400, "BAD_REQUEST", "operation=blur");
        assertProblem(image("?operations=edges,warp"), 400, "BAD_REQUEST", "one operation");
        assertProblem(image("?edges=sigma%3D99"), 400, "BAD_REQUEST", "sigma=99");
        assertProblem(image("?edges=colour%3Dred"), 400, "BAD_REQUEST", "colour");
        assertProblem(image("?edges=sigma"), 400, "BAD_REQUEST", "name=value");
        assertProblem(image("?edges=low%3D200,high%3D100"), 400, "BAD_REQUEST", "high=100");
        assertProblem(image("?operations=warp&warp=matrix%3D1+2"), 400, "BAD_REQUEST", "expected=6");
        assertProblem(image("?operations=warp&warp=matrix%3D0+0+0+0+0+0"), 400, "BAD_REQUEST", "inverted");
        assertProblem(image("?format=webp"), 400, "BAD_REQUEST", "WebP is read but not written");
        assertProblem(Http.post(host.address(), "/", "hello", "Content-Type", "text/plain"), 400, "BAD_REQUEST", "JSON");
        assertProblem(Http.post(host.address(), "/", "hello", "Content-Type", "image/png"), 415, "UNSUPPORTED_FORMAT", "");
        assertProblem(Http.get(host.address(), "/"), 405, "METHOD_NOT_ALLOWED", "GET");
        assertProblem(post("{\"bucket\":\"b\"}"), 400, "BAD_REQUEST", "prefix");
        assertProblem(post("{\"bucket\":\"b\",\"key\":\"k\",\"colour\":1}"), 400, "BAD_REQUEST", "colour");
        assertProblem(post("{\"bucket\":7,\"key\":\"k\"}"), 400, "BAD_REQUEST", "bucket=7");
        assertProblem(post("{\"key\":\"k\"}"), 400, "BAD_REQUEST", "bucket");
    }

    @Test
    void shouldProcessAnObjectByEachShapeOfNotificationOnce() throws Exception {
        start();
        put("in/a b+ü%.png", Samples.png());
        String encoded = URLEncoder.encode("in/a b+ü%.png", StandardCharsets.UTF_8);
        String record = "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":"
            + "{\"name\":\"" + bucket + "\"},\"object\":{\"key\":\"" + encoded + "\"}}}";

        Reply aws = post("{\"Records\":[" + record + "]}");
        assertThat(aws.status()).as(aws.text()).isEqualTo(200);
        assertThat(JSON.readTree(aws.bytes()).at("/objects/0/outcome").asText()).isEqualTo("done");
        for (Reply again : List.of(
            post("{\"Records\":[" + record + "]}"),
            post("{\"EventName\":\"s3:ObjectCreated:Put\",\"Key\":\"x\",\"Records\":["
                + record.replace("aws:s3", "minio:s3").replace("ObjectCreated:Put", "s3:ObjectCreated:Put") + "]}"),
            event("com.amazonaws.s3.ObjectCreated:Put", record),
            event("aws.s3", "{\"version\":\"0\",\"detail-type\":\"Object Created\",\"source\":\"aws.s3\",\"detail\":{\"bucket\":"
                + "{\"name\":\"" + bucket + "\"},\"object\":{\"key\":\"in/a b+ü%.png\"}}}"))) {
            assertThat(again.status()).as(again.text()).isEqualTo(200);
            assertThat(JSON.readTree(again.bytes()).at("/objects/0/outcome").asText()).isEqualTo("unchanged");
        }

        assertThat(keys()).containsExactlyInAnyOrder("in/a b+ü%.png", "processed/edges/in/a b+ü%.png");
        Map<String, String> metadata = s3.metadata(bucket, "processed/edges/in/a b+ü%.png");
        assertThat(metadata).containsKeys("coral-source-etag", "coral-device", "coral-device-millis", "coral-version")
            .containsEntry("coral-operation", "edges")
            .containsEntry("coral-arguments", "sigma=1.4,low=50.0,high=100.0,norm=l1");
        assertThat(metric("coral_function_objects_total{outcome=\"done\"}")).isEqualTo(1);
        assertThat(metric("coral_function_objects_total{outcome=\"unchanged\"}")).isEqualTo(4);
    }

    @Test
    void shouldProcessAgainWhatChanged() throws Exception {
        start();
        put("a.png", Samples.png());
        assertThat(outcome(command("a.png"))).isEqualTo("done");
        put("a.png", Samples.encoded(Samples.square(10, 10, BufferedImage.TYPE_BYTE_GRAY), "png"));

        assertThat(outcome(command("a.png"))).isEqualTo("done");
        assertThat(outcome(post("{\"bucket\":\"" + bucket + "\",\"key\":\"a.png\",\"edges\":\"sigma=0\"}"))).isEqualTo("done");
        assertThat(outcome(post("{\"bucket\":\"" + bucket + "\",\"key\":\"a.png\",\"edges\":\"sigma=0\"}"))).isEqualTo("unchanged");
    }

    @Test
    void shouldDoTheWorkOnceWhereAnEventComesTwiceAtOnce() throws Exception {
        start();
        put("a.png", Samples.png());
        byte[] command = ("{\"bucket\":\"" + bucket + "\",\"key\":\"a.png\"}").getBytes(StandardCharsets.UTF_8);
        List<CompletableFuture<Reply>> replies = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            replies.add(Http.postAsync(host.address(), "/", command));
        }

        List<String> outcomes = new ArrayList<>();
        for (CompletableFuture<Reply> reply : replies) {
            outcomes.add(outcome(reply.get()));
        }

        assertThat(outcomes).containsOnlyOnce("done").hasSize(8);
    }

    @Test
    void shouldNeverProcessItsOwnResults() throws Exception {
        start();
        put("a.png", Samples.png());
        command("a.png");

        assertThat(outcome(command("processed/edges/a.png"))).isEqualTo("own");
        s3.copy(bucket, "processed/edges/a.png", "elsewhere.png");
        assertThat(outcome(command("elsewhere.png"))).isEqualTo("own");
        assertThat(keys()).containsExactlyInAnyOrder("a.png", "elsewhere.png", "processed/edges/a.png");
    }

    @Test
    void shouldIgnoreWhatIsNoCreation() throws Exception {
        start();

        assertThat(post("{\"Records\":[{\"eventName\":\"ObjectRemoved:Delete\"}]}").status()).isEqualTo(200);
        assertThat(post("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}").status()).isEqualTo(200);
        assertThat(event("aws.s3", "{\"detail-type\":\"Object Deleted\",\"detail\":{}}").status()).isEqualTo(200);
    }

    @Test
    void shouldSayWhatIsWrongWithAnEvent() throws Exception {
        start();

        assertProblem(post("{\"Records\":[]}"), 400, "BAD_EVENT", "Records");
        assertProblem(post("{\"Records\":[{}]}"), 400, "BAD_EVENT", "Records[0].eventName");
        assertProblem(post("{\"Records\":[{\"eventName\":\"ObjectCreated:Put\"}]}"), 400, "BAD_EVENT", "s3");
        assertProblem(post("{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"}}}]}"), 400,
            "BAD_EVENT", "Records[0].s3.object.key");
        assertProblem(post("{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":"
            + "{\"key\":\"%zz\"}}}]}"), 400, "BAD_EVENT", "%zz");
        assertProblem(event("t", "{\"a\":1}"), 400, "BAD_EVENT", "Records");
        assertProblem(event("t", "no json"), 400, "BAD_EVENT", "JSON");
        assertProblem(event("t", ""), 400, "BAD_EVENT", "JSON");
    }

    @Test
    void shouldPutAsideWhatIsNoImageWithTheReason() throws Exception {
        start();
        Map<String, byte[]> bad = Map.of("cut.jpg", Samples.truncated(Samples.jpeg()), "bomb.png", Samples.bomb(60_000, 60_000),
            "animated.webp", Samples.resource("animated.webp"), "empty.png", new byte[0], "text.png", "hello".getBytes(
                StandardCharsets.US_ASCII));
        Map<String, String> problems = Map.of("cut.jpg", "422 BROKEN_IMAGE", "bomb.png", "413 TOO_LARGE", "animated.webp",
            "422 ANIMATED_IMAGE", "empty.png", "422 EMPTY_OBJECT", "text.png", "415 UNSUPPORTED_FORMAT");
        for (Map.Entry<String, byte[]> object : bad.entrySet()) {
            put(object.getKey(), object.getValue());
            String[] expected = problems.get(object.getKey()).split(" ");

            Reply reply = command(object.getKey());

            assertProblem(reply, Integer.parseInt(expected[0]), expected[1], "failed/" + object.getKey() + ".json");
            JsonNode reason = JSON.readTree(get("failed/" + object.getKey() + ".json"));
            assertThat(reason.get("error").asText()).isEqualTo(expected[1]);
            assertThat(reason.get("key").asText()).isEqualTo(object.getKey());
            assertThat(get("failed/" + object.getKey())).isEqualTo(object.getValue());
            assertThat(metric("coral_function_objects_total{outcome=\"" + expected[1] + "\"}")).isEqualTo(1);
        }
        assertThat(metric("coral_function_dead_letters_total ")).isEqualTo(5);
    }

    @Test
    void shouldProcessUnusualImages() throws Exception {
        start();
        Map<String, byte[]> unusual = Map.of("cmyk.jpg", Samples.cmykJpeg(), "deep.png", Samples.encoded(Samples.deep(), "png"),
            "dot.png", Samples.encoded(Samples.square(1, 1, BufferedImage.TYPE_BYTE_GRAY), "png"),
            "picture.webp", Samples.resource("still.webp"), "misnamed.jpg", Samples.tiff());
        for (Map.Entry<String, byte[]> object : unusual.entrySet()) {
            put(object.getKey(), object.getValue());
            assertThat(outcome(command(object.getKey()))).as(object.getKey()).isEqualTo("done");
        }
        assertThat(keys()).contains("processed/edges/cmyk.jpg", "processed/edges/picture.webp.png", "processed/edges/misnamed.jpg");
        assertThat(s3.metadata(bucket, "processed/edges/picture.webp.png")).containsEntry("content-type", "image/png");
    }

    @Test
    void shouldSayWhatIsMissingOrForbidden() throws Exception {
        start();

        assertProblem(command("none.png"), 404, "NO_SUCH_KEY", "none.png");
        assertThat(keys()).containsExactly("failed/none.png.json");
        assertProblem(post("{\"bucket\":\"no-such-bucket\",\"key\":\"a\"}"), 404, "NO_SUCH_BUCKET", "no-such-bucket");
        assertProblem(post("{\"bucket\":\"no-such-bucket\",\"prefix\":\"\"}"), 404, "NO_SUCH_BUCKET", "no-such-bucket");
        assertProblem(post("{\"bucket\":\"b/../c\",\"key\":\"a\"}"), 400, "BAD_EVENT", "bucket=b/../c");
        assertProblem(post("{\"bucket\":\"" + bucket + "\",\"key\":\"" + "k".repeat(1025) + "\"}"), 400, "BAD_EVENT", "bytes=1025");
        assertProblem(post("{\"bucket\":\"" + bucket + "\",\"key\":\"\"}"), 400, "BAD_EVENT", "bytes=0");

        host.close();
        System.setProperty("aws.secretAccessKey", "wrong");
        try {
            start();
            assertProblem(command("none.png"), 403, "NO_PERMISSION", "credentials");
        } finally {
            System.setProperty("aws.secretAccessKey", LocalS3.SECRET_KEY);
        }
    }

    @Test
    void shouldSendBackWhatMayGoBetterLater() throws Exception {
        start("FUNCTION_S3_ENDPOINT", "http://127.0.0.1:1");
        Reply noStore = command("a.png");
        assertProblem(noStore, 503, "STORE_UNAVAILABLE", "FUNCTION_S3_ENDPOINT");
        assertThat(noStore.header("Retry-After")).isEqualTo("1");
        host.close();

        put("a.png", Samples.png());
        host = FunctionHost.start(config(), "unix:" + directory.resolve("none.sock"));
        assertProblem(command("a.png"), 503, "ACCELERATOR_UNAVAILABLE", "none.sock");
        assertThat(keys()).containsExactly("a.png");
    }

    /** Somebody may install a bitstream: the object is neither processed nor put aside, and its sender sends it again. */
    @Test
    void shouldSendBackWhatNoBitstreamOffersAnAcceleratorFor() throws Exception {
        put("a.png", Samples.png());
        start("FUNCTION_HANDLER", Unoffered.class.getName());
        String accelerator = Unoffered.PREFIX + "com.inaccel.vision.Image.CannyL1";

        assertProblem(command("a.png"), 501, "NO_ACCELERATOR", "accelerator=" + accelerator);
        assertProblem(image(""), 501, "NO_ACCELERATOR", "install a bitstream");

        assertThat(metric("coral_function_calls_total{outcome=\"NO_ACCELERATOR\"}")).isEqualTo(2);
        assertThat(metric("coral_function_objects_total{outcome=\"NO_ACCELERATOR\"}")).isEqualTo(1);
        assertThat(metric("coral_function_dead_letters_total ")).isZero();
        assertThat(keys()).containsExactly("a.png");
        assertThat(Http.get(host.address(), "/readyz").text()).contains("missing=[" + accelerator + "]");
        host.close();

        start();
        assertThat(outcome(command("a.png"))).isEqualTo("done");
    }

    /** Here because the device takes its time to be programmed. */
    @Test
    void shouldEndCallsWhoseTimeIsUpAndLoseNothing() throws Exception {
        Map<String, String> slow = Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "3s");
        slow.forEach(System::setProperty);
        String devices = System.setProperty("coral.devices", "auto");
        try {
            put("a.png", Samples.png());
            start("FUNCTION_TIMEOUT", "1s");

            Reply reply = command("a.png");
            assertProblem(reply, 504, "TIMEOUT", "FUNCTION_TIMEOUT");
            while (metric("coral_function_calls_running ") > 0) {
                Thread.onSpinWait(); // the answer does not wait for the call to let go
            }
            assertThat(metric("coral_function_calls_total{outcome=\"TIMEOUT\"}")).isEqualTo(1);
            assertThat(metric("coral_function_objects_total{outcome=\"TIMEOUT\"}")).isEqualTo(1);
            assertThat(metric("coral_function_dead_letters_total ")).isZero();
            assertThat(keys()).containsExactly("a.png");

            while (reply.status() == 504) { // as a broker of events does
                reply = command("a.png");
            }
            assertThat(outcome(reply)).isEqualTo("done");
            assertThat(keys()).containsExactly("a.png", "processed/edges/a.png");
        } finally {
            host.close(); // and the engine with it
            slow.keySet().forEach(System::clearProperty);
            System.setProperty("coral.devices", devices);
        }
    }

    @Test
    void shouldProcessAWholePrefixPageByPageWhateverFails() throws Exception {
        start();
        for (int i = 0; i < 7; i++) {
            put("in/" + i + ".png", i == 3 ? new byte[0] : Samples.encoded(Samples.square(8 + i, 8, BufferedImage.TYPE_BYTE_GRAY),
                "png"));
        }
        put("other.png", Samples.png());

        List<String> outcomes = new ArrayList<>();
        List<Integer> statuses = new ArrayList<>();
        String after = "";
        do {
            Reply page = post("{\"bucket\":\"" + bucket + "\",\"prefix\":\"in/\",\"limit\":3" + after + "}");
            statuses.add(page.status());
            JsonNode json = JSON.readTree(page.bytes());
            json.get("objects").forEach(object -> outcomes.add(object.path("outcome").asText(object.path("error").asText())));
            after = json.has("next") ? ",\"after\":" + json.get("next") : "";
        } while (!after.isEmpty());

        assertThat(outcomes).containsExactly("done", "done", "done", "EMPTY_OBJECT", "done", "done", "done");
        assertThat(statuses).containsExactly(200, 207, 200);
        assertThat(keys()).hasSize(8 + 6 + 2);
    }

    @Test
    void shouldWriteIntoAnotherBucketWhereItIsTold() throws Exception {
        String results = bucket + "-results";
        s3.createBucket(results);
        start("FUNCTION_OUTPUT_BUCKET", results, "FUNCTION_OUTPUT_PREFIX", "r/", "FUNCTION_OPERATIONS", "edges,warp");
        put("a.png", Samples.png());

        assertThat(outcome(command("a.png"))).isEqualTo("done");

        assertThat(keys()).containsExactly("a.png");
        assertThat(s3.keys(results, "")).containsExactly("r/edges/a.png", "r/warp/a.png");
        assertThat(outcome(command("a.png"))).isEqualTo("unchanged");
    }

    @Test
    void shouldNotBeReadyWithConfigurationThatIsWrong() throws Exception {
        start("FUNCTION_OPERATIONS", "blur");

        assertThat(Http.get(host.address(), "/readyz").text()).contains("operation=blur");
        assertProblem(image(""), 501, "NO_HANDLER", "operation=blur");
    }

    private void start(String... variables) throws IOException {
        host = FunctionHost.start(config(variables), "embedded:");
    }

    private static FunctionConfig config(String... variables) {
        Map<String, String> environment = new HashMap<>(Map.of("PORT", "0", "FUNCTION_LINGER", "0s", "FUNCTION_S3_ENDPOINT",
            s3.endpoint().toString()));
        for (int i = 0; i < variables.length; i += 2) {
            environment.put(variables[i], variables[i + 1]);
        }
        return FunctionConfig.of(environment);
    }

    private void put(String key, byte[] bytes) {
        s3.put(bucket, key, bytes);
    }

    private byte[] get(String key) {
        return s3.get(bucket, key);
    }

    private List<String> keys() {
        return s3.keys(bucket, "");
    }

    private Reply command(String key) throws Exception {
        return post(JSON.writeValueAsString(Map.of("bucket", bucket, "key", key)));
    }

    private Reply post(String json) throws Exception {
        return Http.post(host.address(), "/", json, "Content-Type", "application/json");
    }

    private Reply event(String type, String data) throws Exception {
        return Http.post(host.address(), "/", data, "Content-Type", "application/json", "ce-specversion", "1.0", "ce-type", type,
            "ce-source", "/test", "ce-id", "1");
    }

    private Reply image(String query) throws Exception {
        return Http.post(host.address(), "/" + query, Samples.png(), "Content-Type", "image/png");
    }

    private static String outcome(Reply reply) throws IOException {
        return JSON.readTree(reply.bytes()).at("/objects/0/outcome").asText(reply.text());
    }

    private static void assertProblem(Reply reply, int status, String problem, String message) {
        assertThat(reply.text()).contains("\"" + problem + "\"").contains(message);
        assertThat(reply.status()).as(reply.text()).isEqualTo(status);
        assertThat(reply.header("Coral-Problem")).isEqualTo(problem);
    }

    private double metric(String start) throws Exception {
        return Http.get(host.address(), "/metrics").text().lines().filter(line -> line.startsWith(start))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ')))).sum();
    }

    private static long whites(BufferedImage edges) {
        long count = 0;
        for (int y = 0; y < edges.getHeight(); y++) {
            for (int x = 0; x < edges.getWidth(); x++) {
                count += edges.getRaster().getSample(x, y, 0) == 255 ? 1 : 0;
            }
        }
        return count;
    }
}
