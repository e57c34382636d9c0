package io.kubeless;

import java.nio.charset.StandardCharsets;

/**
 * What a Kubeless function is called with: the same name and fields as in Kubeless's Java runtime, so that functions
 * written for it compile and run unchanged. Fields that the caller sent no header for are null, as they were there.
 */
@SuppressWarnings("InconsistentCapitalization") // the fields' names are the contract's
public class Event {
    /** The body as UTF-8. */
    public String Data;
    /** Header {@code event-id}. */
    public String EventID;
    /** Header {@code event-type}. */
    public String EventType;
    /** Header {@code event-time}. */
    public String EventTime;
    /** Header {@code event-namespace}. */
    public String EventNamespace;

    private final byte[] bytes;

    public Event(String data, String eventId, String eventType, String eventTime, String eventNamespace) {
        this(data.getBytes(StandardCharsets.UTF_8), eventId, eventType, eventTime, eventNamespace);
    }

    /** @param bytes the body; not copied */
    public Event(byte[] bytes, String eventId, String eventType, String eventTime, String eventNamespace) {
        this.bytes = bytes;
        Data = new String(bytes, StandardCharsets.UTF_8);
        EventID = eventId;
        EventType = eventType;
        EventTime = eventTime;
        EventNamespace = eventNamespace;
    }

    /** The body as it was sent, which the original had no way to tell: an image, say. */
    public byte[] bytes() {
        return bytes.clone();
    }
}
