package com.inaccel.coral.functions;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the caller gets.
 *
 * @param status of HTTP
 * @param contentType empty where there is no body
 * @param body not copied
 * @param headers beyond the content's type and length
 */
public record Answer(int status, String contentType, byte[] body, Map<String, String> headers) {
    public static final String TEXT = "text/plain; charset=utf-8";
    public static final String JSON = "application/json";

    public Answer {
        headers = Map.copyOf(headers);
    }

    public static Answer text(int status, String text) {
        return new Answer(status, TEXT, text.getBytes(StandardCharsets.UTF_8), Map.of());
    }

    public static Answer json(int status, byte[] json) {
        return new Answer(status, JSON, json, Map.of());
    }

    public Answer with(String header, String value) {
        Map<String, String> more = new TreeMap<>(headers);
        more.put(header, value);
        return new Answer(status, contentType, body, more);
    }
}
