package com.inaccel.coral.functions.images;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.functions.Answer;
import com.inaccel.coral.functions.Call;
import com.inaccel.coral.functions.Function;
import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionConfig.Key;
import com.inaccel.coral.functions.FunctionContext;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import com.inaccel.coral.functions.images.ImageProcessor.Result;
import java.io.IOException;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;

/**
 * Edges of images, or images warped: of the image in the call itself, of objects of a store that a notification or the caller
 * names, or of all objects under a prefix, a page at a time.
 */
public final class ImageFunction implements Function {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Parts of the heap for encoded and for decoded images; the rest is everybody's. */
    private static final double ENCODED = 0.2;
    private static final double DECODED = 0.6;
    private static final int MANY = 207;

    private FunctionConfig config;
    private Plan plan;
    private ImageMetrics metrics;
    private ImageProcessor images;
    private ObjectBatch objects;
    private CompletableFuture<ObjectStore> store;

    /** Made by the host. */
    public ImageFunction() { }

    @Override
    public void open(FunctionContext context) {
        config = context.config();
        try {
            plan = Plan.of(config);
        } catch (FunctionException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        long heap = Runtime.getRuntime().maxMemory();
        metrics = new ImageMetrics(context.metrics());
        images = new ImageProcessor(new ImageCodec(config.count(Key.PIXEL_LIMIT), new Budget("pixels", (long) (heap * DECODED))),
            new SessionImages(context.sessions()));
        store = new CompletableFuture<>();
        objects = new ObjectBatch(store.thenApply(opened -> new ObjectProcessor(opened, images,
            new Budget("objects", (long) (heap * ENCODED)),
            new DeadLetters(opened, config.text(Key.OUTPUT_BUCKET), config.text(Key.FAILED_PREFIX), Clock.systemUTC()), metrics,
            config)));
    }

    /** Amazon's client takes a part of a second to load: the function is ready before. */
    @Override
    public void warmUp() {
        openStore();
    }

    private synchronized void openStore() {
        if (!store.isDone()) {
            try {
                store.complete(ObjectStore.open(config));
            } catch (RuntimeException e) {
                store.completeExceptionally(e);
            }
        }
    }

    @Override
    public Set<String> accelerators() {
        Set<String> all = new TreeSet<>();
        plan.operations().forEach(operation -> all.addAll(operation.accelerators()));
        return all;
    }

    @Override
    public Answer call(Call call) throws Exception {
        if (call.event().isEmpty() && Format.of(call.body()).isPresent()) {
            return image(call);
        }
        if (call.event().isEmpty() && !call.method().equals("POST") && !call.method().equals("PUT")) {
            throw new FunctionException(Problem.METHOD_NOT_ALLOWED,
                "nothing to do for this method: method=" + call.method() + "; use POST");
        }
        if (call.contentType().toLowerCase(Locale.ROOT).startsWith("image/")) {
            return image(call); // which says what is wrong with it
        }
        JsonNode json = json(call);
        openStore();
        if (call.event().isPresent() || Notifications.isNotification(json)) {
            return answer(objects.process(Notifications.created(json), plan, Optional.empty()));
        }
        return command(json);
    }

    private Answer command(JsonNode json) throws InterruptedException {
        Command command = Command.parse(json);
        Plan asked = Plan.of(field -> Command.optional(json, field).orElse(""), config);
        if (command.prefix().isEmpty()) {
            return answer(objects.process(command.keys().stream()
                .map(key -> Notifications.checked(command.bucket(), key)).toList(), asked, Optional.empty()));
        }
        ObjectStore.Page page = opened().list(command.bucket(), command.prefix().get(), command.after(), command.limit());
        return answer(objects.process(page.keys().stream().map(key -> new ObjectRef(command.bucket(), key)).toList(), asked,
            page.next()));
    }

    /** An image that came in the call goes back in the answer, and nothing is stored. */
    private Answer image(Call call) throws InterruptedException {
        Plan asked = Plan.of(field -> call.query().getOrDefault(field, ""), config);
        if (asked.operations().size() != 1) {
            throw new FunctionException(Problem.BAD_REQUEST, "one operation on an image in a call, please: operations="
                + asked.operations().stream().map(Operation::name).toList() + "; add ?operations=edges");
        }
        Stages stages = new Stages(metrics);
        Result result = images.process(call.body(), asked.operations(), asked.format(), stages).get(0);
        return new Answer(200, result.format().contentType(), result.bytes(),
            Map.of("Server-Timing", stages.serverTiming(), "Coral-Device", result.device()));
    }

    private static JsonNode json(Call call) {
        try {
            JsonNode json = JSON.readTree(call.body());
            if (json != null && json.isObject()) {
                return json;
            }
        } catch (IOException e) {
            throw notJson(call, e.getMessage());
        }
        throw notJson(call, "no object in it");
    }

    private static FunctionException notJson(Call call, String cause) {
        String what = "bytes=" + call.body().length + ", contentType=" + call.contentType() + ", cause=" + cause;
        return call.event().isPresent()
            ? new FunctionException(Problem.BAD_EVENT, "the event's data is no JSON: " + what)
            : new FunctionException(Problem.BAD_REQUEST, "neither an image that is read here nor JSON: " + what);
    }

    /** The status says whether to send again: only where something may go better then. */
    private static Answer answer(ObjectBatch.Results results) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("objects", results.all());
        results.next().ifPresent(next -> body.put("next", next));
        List<FunctionException> failures = results.failures();
        Optional<FunctionException> again = failures.stream().filter(one -> one.problem().isTransient()).findFirst();
        int status = again.map(one -> one.problem().status()).orElse(failures.isEmpty() ? 200 : MANY);
        try {
            Answer answer = Answer.json(status, JSON.writeValueAsBytes(body));
            return again.map(one -> answer.with(FunctionException.HEADER, one.problem().name())).orElse(answer);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("records of text and numbers are JSON", e);
        }
    }

    private ObjectStore opened() {
        return ObjectBatch.join(store);
    }

    @Override
    public void close() {
        if (objects != null) {
            objects.close();
        }
        if (store != null) {
            store.thenAccept(ObjectStore::close); // where it was ever opened
        }
    }
}
