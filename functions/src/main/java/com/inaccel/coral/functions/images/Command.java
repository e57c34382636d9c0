package com.inaccel.coral.functions.images;

import com.fasterxml.jackson.databind.JsonNode;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a caller asks for in JSON: {@code {"bucket": "b", "key": "k"}}, {@code "keys": [...]} or {@code "prefix": "p"} with
 * {@code "after"} and {@code "limit"}; besides, as text, operations, edges, warp and format over what is configured.
 *
 * @param prefix empty where keys are named
 * @param after the last key of the page before
 * @param limit of keys in one page
 */
record Command(String bucket, List<String> keys, Optional<String> prefix, Optional<String> after, int limit) {
    private static final Set<String> FIELDS = Set.of("bucket", "key", "keys", "prefix", "after", "limit", "operations", "edges",
        "warp", "format");
    private static final int PAGE = 50;
    private static final int LARGEST_PAGE = 1000;

    /** @throws FunctionException BAD_REQUEST where it is of another shape, naming what is wrong */
    static Command parse(JsonNode json) {
        if (!json.isObject()) {
            throw bad("not a JSON object");
        }
        for (Iterator<String> names = json.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!FIELDS.contains(name)) {
                throw bad("unknown field: name=" + name);
            }
        }
        List<String> keys = new ArrayList<>();
        optional(json, "key").ifPresent(keys::add);
        for (JsonNode key : json.path("keys")) {
            if (!key.isTextual()) {
                throw bad("not a list of texts: keys=" + json.get("keys"));
            }
            keys.add(key.textValue());
        }
        Optional<String> prefix = optional(json, "prefix");
        if (keys.isEmpty() == prefix.isEmpty()) {
            throw bad("name either keys or a prefix, even an empty one: keys=" + keys.size());
        }
        int limit = json.path("limit").asInt(PAGE);
        if (limit < 1 || limit > LARGEST_PAGE || keys.size() > LARGEST_PAGE) {
            throw bad("too many or too few at once: limit=" + limit + ", keys=" + keys.size() + ", most=" + LARGEST_PAGE);
        }
        return new Command(optional(json, "bucket").orElseThrow(() -> bad("no bucket is named")), List.copyOf(keys), prefix,
            optional(json, "after"), limit);
    }

    /** Empty where the field is not there. */
    static Optional<String> optional(JsonNode json, String field) {
        JsonNode value = json.get(field);
        if (value != null && !value.isTextual()) {
            throw bad("not a text: " + field + "=" + value);
        }
        return Optional.ofNullable(value).map(JsonNode::textValue);
    }

    private static FunctionException bad(String message) {
        return new FunctionException(Problem.BAD_REQUEST, message + "; send an image, an S3 notification, or {\"bucket\": \"b\", "
            + "\"key\": \"k\"} with keys or prefix in place of key, and after, limit, operations, edges, warp, format if you like");
    }
}
