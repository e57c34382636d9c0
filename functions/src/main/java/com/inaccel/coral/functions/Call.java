package com.inaccel.coral.functions;

import io.cloudevents.CloudEvent;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * One call of a function.
 *
 * @param method of HTTP
 * @param path as it was asked for, without the query
 * @param query decoded; of a name that occurs twice the last value
 * @param headers by their names in lower case
 * @param body as it was sent, or the data of the CloudEvent; not copied
 * @param contentType of the body; empty where none was named
 * @param event where the call is a CloudEvent, in binary or structured mode
 * @param deadlineNanos when {@link System#nanoTime} passes this, nobody waits for the answer any more
 */
public record Call(String method, String path, Map<String, String> query, Map<String, String> headers, byte[] body,
        String contentType, Optional<CloudEvent> event, long deadlineNanos) {

    /** The time that is left, never negative. */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime()));
    }

    /** Null where the caller sent no such header. */
    public String header(String nameInLowerCase) {
        return headers.get(nameInLowerCase);
    }
}
