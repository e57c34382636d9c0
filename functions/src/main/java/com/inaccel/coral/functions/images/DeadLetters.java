package com.inaccel.coral.functions.images;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Keeps what can never be processed: a copy of the object under the prefix, and beside it, with .json appended, why. The same
 * object failing again overwrites both.
 */
final class DeadLetters {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SUFFIX = ".json";

    private final ObjectStore store;
    private final String bucket;
    private final String prefix;
    private final Clock clock;

    /** @param bucket empty: the object's own */
    DeadLetters(ObjectStore store, String bucket, String prefix, Clock clock) {
        this.store = store;
        this.bucket = bucket;
        this.prefix = prefix;
        this.clock = clock;
    }

    /**
     * Returns where the reason is.
     *
     * @throws FunctionException where the store keeps it not: nothing is lost only if the sender sends again
     */
    ObjectRef keep(ObjectRef object, String etag, FunctionException failure) {
        String into = bucket.isEmpty() ? object.bucket() : bucket;
        if (failure.problem() != Problem.NO_SUCH_KEY && failure.problem() != Problem.NO_PERMISSION) {
            store.copy(object, new ObjectRef(into, prefix + object.key()));
        }
        ObjectRef reason = new ObjectRef(into, prefix + object.key() + SUFFIX);
        store.put(reason, describe(object, etag, failure), "application/json", Map.of());
        return reason;
    }

    private byte[] describe(ObjectRef object, String etag, FunctionException failure) {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("bucket", object.bucket());
        description.put("key", object.key());
        description.put("etag", etag);
        description.put("error", failure.problem().name());
        description.put("status", failure.problem().status());
        description.put("message", failure.getMessage());
        description.put("time", clock.instant().toString());
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(description);
        } catch (JsonProcessingException e) {
            throw new AssertionError("text and numbers are JSON", e);
        }
    }
}
