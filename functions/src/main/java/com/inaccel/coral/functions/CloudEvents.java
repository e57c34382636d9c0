package com.inaccel.coral.functions;

import io.cloudevents.CloudEvent;
import io.cloudevents.http.HttpMessageFactory;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Finds the CloudEvent in a call, in binary or in structured mode. */
final class CloudEvents {
    private static final String CONTENT_TYPE = "content-type";
    private static final String BATCH = "application/cloudevents-batch";
    private static final String STRUCTURED = "application/cloudevents";
    private static final String VERSION = "ce-specversion";

    private CloudEvents() { }

    /** Empty where it has none. */
    static byte[] data(CloudEvent event) {
        return event.getData() == null ? new byte[0] : event.getData().toBytes();
    }

    /**
     * @param headers by their names in lower case
     * @throws FunctionException BAD_EVENT where it says that it is one and is not, or is several at once
     */
    static Optional<CloudEvent> read(Map<String, String> headers, byte[] body) {
        String type = headers.getOrDefault(CONTENT_TYPE, "").toLowerCase(Locale.ROOT);
        if (type.startsWith(BATCH)) {
            throw new FunctionException(Problem.BAD_EVENT,
                "several CloudEvents in one call: content-type=" + type + "; send them one by one");
        }
        if (!type.startsWith(STRUCTURED) && !headers.containsKey(VERSION)) {
            return Optional.empty();
        }
        try {
            return Optional.of(HttpMessageFactory.createReader(headers, body).toEvent());
        } catch (RuntimeException e) { // readers throw all sorts of them
            throw new FunctionException(Problem.BAD_EVENT, "not a CloudEvent: content-type=" + type + ", cause="
                + e.getMessage() + "; see cloudevents.io for its HTTP binding", e);
        }
    }
}
