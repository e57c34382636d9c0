package com.inaccel.coral.functions.images;

import com.fasterxml.jackson.databind.JsonNode;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Objects that were created, from what stores send about it: S3's notifications, which MinIO's are but for a word or two; one
 * record of such, as adapters to CloudEvents pass on; EventBridge's "Object Created". Whatever else happened to objects is
 * none of this function's business.
 */
final class Notifications {
    private static final String RECORDS = "Records";
    private static final String DETAIL = "detail";
    private static final String RECORD = "s3";
    /** What S3 sends once, when notifications are set up. */
    private static final String TEST_EVENT = "s3:TestEvent";
    private static final int LONGEST_KEY_BYTES = 1024;

    private Notifications() { }

    /** Whether it looks like one. */
    static boolean isNotification(JsonNode json) {
        return json.has(RECORDS) || json.has(DETAIL) || json.has(RECORD) || isTest(json);
    }

    /** @throws FunctionException BAD_EVENT where it is of another shape, naming what is missing */
    static List<ObjectRef> created(JsonNode json) {
        List<ObjectRef> created = new ArrayList<>();
        if (json.has(RECORDS)) {
            JsonNode records = json.get(RECORDS);
            if (!records.isArray() || records.isEmpty()) {
                throw bad("no list of records: at=Records");
            }
            for (int i = 0; i < records.size(); i++) {
                add(created, records.get(i), "Records[" + i + "].");
            }
        } else if (json.has(DETAIL)) {
            if (text(json, "detail-type", "").equals("Object Created")) {
                created.add(ref(json.get(DETAIL), "detail.", false));
            }
        } else if (json.has(RECORD)) {
            add(created, json, "");
        } else if (!isTest(json)) {
            throw bad("neither Records nor detail nor s3 in it");
        }
        return created;
    }

    private static boolean isTest(JsonNode json) {
        return json.path("Event").asText().equals(TEST_EVENT);
    }

    private static void add(List<ObjectRef> created, JsonNode record, String at) {
        String name = text(record, "eventName", at);
        if (name.startsWith("ObjectCreated:") || name.startsWith("s3:ObjectCreated:")) {
            JsonNode s3 = record.get(RECORD);
            if (s3 == null) {
                throw bad("missing: at=" + at + RECORD);
            }
            created.add(ref(s3, at + "s3.", true));
        }
    }

    /** @param encoded as in a URL's query: so S3 and MinIO write keys in notifications, but EventBridge does not */
    private static ObjectRef ref(JsonNode parent, String at, boolean encoded) {
        String key = text(parent.path("object"), "key", at + "object.");
        if (encoded) {
            try {
                key = URLDecoder.decode(key, StandardCharsets.UTF_8);
            } catch (IllegalArgumentException e) {
                throw bad("not an encoded key: at=" + at + "object.key, value=" + key);
            }
        }
        return checked(text(parent.path("bucket"), "name", at + "bucket."), key);
    }

    /** @throws FunctionException BAD_EVENT where no store has such a bucket or key */
    static ObjectRef checked(String bucket, String key) {
        if (!bucket.matches("[A-Za-z0-9._-]{1,255}")) {
            throw bad("not the name of a bucket: bucket=" + bucket);
        }
        int bytes = key.getBytes(StandardCharsets.UTF_8).length;
        if (bytes == 0 || bytes > LONGEST_KEY_BYTES) {
            throw bad("not a key: bytes=" + bytes + ", most=" + LONGEST_KEY_BYTES);
        }
        return new ObjectRef(bucket, key);
    }

    private static String text(JsonNode parent, String name, String at) {
        JsonNode value = parent.get(name);
        if (value == null || !value.isTextual()) {
            throw bad("missing, or no text: at=" + at + name);
        }
        return value.textValue();
    }

    private static FunctionException bad(String message) {
        return new FunctionException(Problem.BAD_EVENT, message + "; send a notification of S3, MinIO or EventBridge");
    }
}
