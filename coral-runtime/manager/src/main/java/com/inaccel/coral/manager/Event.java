package com.inaccel.coral.manager;

import static java.util.stream.Collectors.joining;

import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Something that happened to the manager, as the event log and the console tell it.
 *
 * @param sequence counts the events of one manager, from 1, those that were left out included
 * @param fields of the event's kind; values are strings and longs, cut to {@link #MAX_CHARACTERS}
 */
record Event(long sequence, Instant time, Kind kind, Map<Field, Object> fields) {
    /** Changes when a field or an event changes its name or meaning; new ones are no change. */
    static final int VERSION = 1;
    /** Of one value: messages may quote what a client sent. */
    static final int MAX_CHARACTERS = 500;

    enum Level { INFO, WARNING, ERROR }

    enum Kind {
        MANAGER_STARTED(Level.INFO, "The manager listens"),
        MANAGER_STOPPING(Level.INFO, "The manager takes nothing new, and waits for what runs"),
        MANAGER_DRAIN_CUT(Level.WARNING, "Requests outlasted the time to stop, and were cancelled"),
        MANAGER_STOPPED(Level.INFO, "The manager has stopped"),
        BITSTREAM_INSTALLED(Level.INFO, "A bitstream was found, and can be used"),
        BITSTREAM_REMOVED(Level.INFO, "A bitstream that could be used has gone"),
        BITSTREAM_REFUSED(Level.ERROR, "A bitstream was found that cannot be used"),
        DEVICE_PROGRAMMED(Level.INFO, "A device was programmed"),
        DEVICE_FAILED(Level.ERROR, "A device failed; what it worked on runs elsewhere if it can"),
        DEVICE_HUNG(Level.ERROR, "A request ran too long on a device; the device is being reset"),
        DEVICE_BACK(Level.INFO, "A device that failed or hung works again"),
        ALLOCATION_ADDED(Level.INFO, "An allocation was granted"),
        ALLOCATION_REMOVED(Level.INFO, "An allocation was taken back"),
        CLIENT_CONNECTED(Level.INFO, "A client opened a session"),
        CLIENT_DISCONNECTED(Level.INFO, "A client's session ended"),
        CLIENT_REFUSED(Level.WARNING, "A client was not served: too many sessions, another version, no greeting"),
        CLIENT_MISBEHAVED(Level.WARNING, "A client broke the protocol or did not read its answers, and was disconnected"),
        REQUEST_FAILED(Level.WARNING, "A request failed or was refused; not written for those that their client cancelled");

        private final Level level;
        private final String meaning;

        Kind(Level level, String meaning) {
            this.level = level;
            this.meaning = meaning;
        }

        String id() {
            return name().toLowerCase(Locale.ROOT);
        }

        Level level() {
            return level;
        }
    }

    enum Field {
        ALLOCATION("the allocation it happened in"),
        DEVICE("id of the device"),
        BITSTREAM("id and version of the bitstream"),
        FILE("a file's path"),
        ACCELERATOR("name of the accelerator; missing when it is not installed"),
        CODE("the error's code"),
        CLIENT("process and user of the client, as the kernel says"),
        ADDRESS("where the manager listens"),
        MILLIS("how long it took"),
        REQUESTS("how many"),
        SHARE("weight of the allocation's turn"),
        QUOTA_BYTES("shared memory that the allocation may take"),
        SUPPRESSED("how many events like this one were left out before it"),
        MESSAGE("what went wrong, and what to do");

        private final String meaning;

        Field(String meaning) {
            this.meaning = meaning;
        }

        String id() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** One object: the fields in the order of the schema. */
    Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("v", VERSION);
        json.put("sequence", sequence);
        json.put("time", time.toString());
        json.put("event", kind.id());
        json.put("level", kind.level.name().toLowerCase(Locale.ROOT));
        for (Field field : Field.values()) {
            Object value = fields.get(field);
            if (value != null) {
                json.put(field.id(), value instanceof String text ? cut(text) : value);
            }
        }
        return json;
    }

    private static String cut(String text) {
        return text.length() <= MAX_CHARACTERS ? text : text.substring(0, MAX_CHARACTERS) + "…";
    }

    /** The tables of the documentation. */
    static String markdown() {
        return Arrays.stream(Kind.values())
            .map(kind -> "| `" + kind.id() + "` | " + kind.level.name().toLowerCase(Locale.ROOT) + " | " + kind.meaning + " |")
            .collect(joining("\n", "| event | level | meaning |\n| --- | --- | --- |\n", "\n\n"))
            + Arrays.stream(Field.values())
                .map(field -> "| `" + field.id() + "` | " + field.meaning + " |")
                .collect(joining("\n", "| field | meaning |\n| --- | --- |\n", "\n"));
    }
}
