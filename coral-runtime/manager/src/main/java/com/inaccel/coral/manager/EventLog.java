package com.inaccel.coral.manager;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Clock;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The manager's events: the latest failures in memory, and all of them as lines of JSON where the operator wants them.
 * Thread-safe; whoever has an event never waits for the disk.
 *
 * <p>Of events of one kind from one allocation, device or file no more than {@value #MOST_PER_SECOND} a second are told; the next
 * one after that says how many were left out. So no client fills the disk, nor drowns the others' events.
 */
final class EventLog implements AutoCloseable {
    static final int MOST_PER_SECOND = 10;
    static final int REMEMBERED = 100;
    /** An event's source is the first of these that it has. */
    private static final List<Event.Field> SOURCES = List.of(Event.Field.ALLOCATION, Event.Field.DEVICE, Event.Field.FILE);
    private static final int QUEUED = 4_096;
    private static final Logger LOG = LoggerFactory.getLogger(EventLog.class);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Clock clock;
    private final Metrics metrics;
    /** Guarded by this, like the next two. */
    private final Deque<Event> failures = new ArrayDeque<>();
    private final Map<Event.Kind, Map<String, Second>> told = new EnumMap<>(Event.Kind.class);
    private long sequence;
    /** Null, like the next two, when nothing is written. */
    private final BlockingQueue<Event> queue;
    private final OutputStream out;
    private final Thread writer;

    /** How many of one kind from one source were told in the current second. */
    private static final class Second {
        private long second;
        private int told;
        private long suppressed;
    }

    /** @param destination a file's path, {@code -} for standard output, empty for nowhere */
    EventLog(String destination, Clock clock, Metrics metrics) {
        this.clock = clock;
        this.metrics = metrics;
        this.out = open(destination);
        this.queue = out == null ? null : new ArrayBlockingQueue<>(QUEUED);
        this.writer = out == null ? null : new Thread(this::writeUntilInterrupted, "coral-events");
        if (writer != null) {
            writer.setDaemon(true);
            writer.start();
        }
    }

    private static OutputStream open(String destination) {
        if (destination.isEmpty()) {
            return null;
        }
        if (destination.equals("-")) {
            return new FilterOutputStream(System.out) {
                @Override
                public void write(byte[] bytes, int offset, int length) throws IOException {
                    out.write(bytes, offset, length);
                }

                @Override
                public void close() throws IOException {
                    out.flush(); // it is not ours
                }
            };
        }
        try {
            // Appended to, so that a rotation that copies and truncates works.
            return new BufferedOutputStream(new FileOutputStream(destination, /* append= */ true));
        } catch (IOException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "cannot write the event log: file=" + destination + ", cause=" + e.getMessage()
                    + "; name a file in a directory that exists and may be written to", e);
        }
    }

    void add(Event.Kind kind, Map<Event.Field, Object> fields) {
        metrics.event(kind);
        Event event;
        synchronized (this) {
            sequence++;
            event = admit(kind, fields);
            if (event == null) {
                return;
            }
            if (kind.level() != Event.Level.INFO || kind == Event.Kind.DEVICE_BACK) {
                failures.addFirst(event);
                if (failures.size() > REMEMBERED) {
                    failures.removeLast();
                }
            }
            // Within the lock, so that the lines are in order.
            if (queue != null && !queue.offer(event)) {
                metrics.eventLost();
            }
        }
    }

    /** What went wrong, and devices that came back; latest first. */
    synchronized List<Event> failures() {
        return List.copyOf(failures);
    }

    /** The allocation has gone. */
    synchronized void forget(String allocation) {
        told.values().forEach(sources -> sources.remove(allocation));
    }

    /** Null when there were enough of these. */
    private Event admit(Event.Kind kind, Map<Event.Field, Object> fields) {
        Object source = SOURCES.stream().filter(fields::containsKey).findFirst().<Object>map(fields::get).orElse("");
        Second second = told.computeIfAbsent(kind, any -> new HashMap<>())
            .computeIfAbsent(source.toString(), any -> new Second());
        long now = clock.instant().getEpochSecond();
        if (second.second != now) {
            second.second = now;
            second.told = 0;
        }
        if (second.told >= MOST_PER_SECOND) {
            second.suppressed++;
            return null;
        }
        second.told++;
        Map<Event.Field, Object> all = new EnumMap<>(Event.Field.class);
        all.putAll(fields);
        if (second.suppressed > 0) {
            all.put(Event.Field.SUPPRESSED, second.suppressed);
            second.suppressed = 0;
        }
        return new Event(sequence, clock.instant().truncatedTo(ChronoUnit.MILLIS), kind, all);
    }

    private void writeUntilInterrupted() {
        try {
            boolean broken = false;
            while (true) {
                broken = write(queue.take(), broken);
            }
        } catch (InterruptedException e) {
            LOG.debug("event log closes");
        }
    }

    /** @return whether it failed, which is logged when it begins */
    private boolean write(Event event, boolean wasBroken) {
        try {
            if (wasBroken) {
                out.write('\n'); // half a line may be there
            }
            out.write(JSON.writeValueAsBytes(event.toJson()));
            out.write('\n');
            if (queue.isEmpty()) {
                out.flush();
            }
            return false;
        } catch (IOException e) {
            metrics.eventLost();
            if (!wasBroken) {
                LOG.error("event log cannot be written, events are lost until it can", e);
            }
            return true;
        }
    }

    /** Writes what has been told. */
    @Override
    public void close() {
        if (writer == null || !writer.isAlive()) {
            return;
        }
        writer.interrupt();
        Threads.join(writer);
        List<Event> left = new ArrayList<>();
        queue.drainTo(left);
        left.forEach(event -> write(event, /* wasBroken= */ false));
        try {
            out.close();
        } catch (IOException e) {
            LOG.warn("event log does not close", e);
        }
    }
}
