package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.inaccel.coral.CoralException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EventLogTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path directory;

    private final Metrics metrics = new Metrics();
    private final FakeClock clock = new FakeClock();

    private static final class FakeClock extends Clock {
        private Instant now = Instant.parse("2026-11-24T01:02:03.456789Z");

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            throw new UnsupportedOperationException();
        }
    }

    @AfterEach
    void nothingIsLeft() {
        Leaks.assertNone();
    }

    private EventLog open() {
        return new EventLog(file().toString(), clock, metrics);
    }

    private Path file() {
        return directory.resolve("events.jsonl");
    }

    private List<JsonNode> written() throws IOException {
        List<JsonNode> events = new ArrayList<>();
        for (String line : Files.readAllLines(file())) {
            events.add(JSON.readTree(line));
        }
        return events;
    }

    private static Map<Event.Field, Object> failure(String allocation, String message) {
        return Map.of(Event.Field.ALLOCATION, allocation, Event.Field.CODE, "QUEUE_FULL", Event.Field.MESSAGE, message);
    }

    @Test
    void shouldWriteOneObjectALineInTheOrderOfTheSchema() throws IOException {
        try (EventLog log = open()) {
            log.add(Event.Kind.DEVICE_PROGRAMMED, Map.of(Event.Field.MILLIS, 12L, Event.Field.DEVICE, "d-0",
                Event.Field.BITSTREAM, "b 1.0"));
            log.add(Event.Kind.REQUEST_FAILED, failure("a", "two\nlines and \"quotes\""));
        }
        assertThat(Files.readAllLines(file())).containsExactly(
            "{\"v\":1,\"sequence\":1,\"time\":\"2026-11-24T01:02:03.456Z\",\"event\":\"device_programmed\",\"level\":\"info\","
                + "\"device\":\"d-0\",\"bitstream\":\"b 1.0\",\"millis\":12}",
            "{\"v\":1,\"sequence\":2,\"time\":\"2026-11-24T01:02:03.456Z\",\"event\":\"request_failed\",\"level\":\"warning\","
                + "\"allocation\":\"a\",\"code\":\"QUEUE_FULL\",\"message\":\"two\\nlines and \\\"quotes\\\"\"}");
    }

    @Test
    void shouldBeDescribedInTheGuide() throws IOException {
        assertThat(Files.readString(Path.of(System.getProperty("basedir"), "..", "..", "docs", "observability.md")))
            .as("docs/observability.md; paste what is expected here").contains(Event.markdown());
    }

    @Test
    void shouldAppendToWhatIsThere() throws IOException {
        open().close();
        try (EventLog log = open()) {
            log.add(Event.Kind.DEVICE_BACK, Map.of(Event.Field.DEVICE, "d-0"));
        }
        try (EventLog log = open()) {
            log.add(Event.Kind.DEVICE_BACK, Map.of(Event.Field.DEVICE, "d-1"));
        }
        assertThat(written()).extracting(event -> event.get("device").asText()).containsExactly("d-0", "d-1");
    }

    @Test
    void shouldLeaveOutWhatOneAllocationFloodsAndSayHowMuch() throws IOException {
        try (EventLog log = open()) {
            for (int i = 0; i < 1_000; i++) {
                log.add(Event.Kind.REQUEST_FAILED, failure("loud", "again"));
            }
            log.add(Event.Kind.REQUEST_FAILED, failure("quiet", "once"));
            clock.now = clock.now.plusSeconds(1);
            log.add(Event.Kind.REQUEST_FAILED, failure("loud", "later"));
            log.add(Event.Kind.REQUEST_FAILED, failure("loud", "last"));
        }
        List<JsonNode> events = written();
        assertThat(events).hasSize(EventLog.MOST_PER_SECOND + 3);
        assertThat(events.get(EventLog.MOST_PER_SECOND).get("allocation").asText()).isEqualTo("quiet");
        assertThat(events.get(EventLog.MOST_PER_SECOND + 1).get("suppressed").asLong()).isEqualTo(990);
        assertThat(events.get(EventLog.MOST_PER_SECOND + 2).has("suppressed")).isFalse();
        assertThat(events.get(EventLog.MOST_PER_SECOND + 2).get("sequence").asLong()).isEqualTo(1_003);
    }

    @Test
    void shouldCutWhatClientsSay() throws IOException {
        try (EventLog log = open()) {
            log.add(Event.Kind.CLIENT_CONNECTED, Map.of(Event.Field.MESSAGE, "x".repeat(100_000)));
        }
        assertThat(written().get(0).get("message").asText()).hasSize(Event.MAX_CHARACTERS + 1).endsWith("x…");
    }

    @Test
    void shouldRememberTheLatestFailuresAndNotWhoComesAndGoes() {
        try (EventLog log = new EventLog("", clock, metrics)) {
            for (int i = 0; i < EventLog.REMEMBERED + 5; i++) {
                clock.now = clock.now.plusSeconds(1);
                log.add(Event.Kind.DEVICE_FAILED, Map.of(Event.Field.DEVICE, "d-" + i));
                log.add(Event.Kind.CLIENT_CONNECTED, Map.of());
            }
            assertThat(log.failures()).hasSize(EventLog.REMEMBERED)
                .allSatisfy(event -> assertThat(event.kind()).isEqualTo(Event.Kind.DEVICE_FAILED));
            assertThat(log.failures().get(0).fields()).containsEntry(Event.Field.DEVICE, "d-104");
            assertThat(Leaks.threads()).isEmpty();
        }
    }

    @Test
    void shouldGoOnWithoutAFullDisk() throws IOException {
        try (EventLog log = new EventLog("/dev/full", clock, metrics)) {
            log.add(Event.Kind.DEVICE_BACK, Map.of(Event.Field.DEVICE, "d-0"));
            Leaks.await("the loss is counted", Duration.ofSeconds(30), () -> exposed().contains("coral_events_lost_total 1.0"));
            assertThat(exposed()).contains("coral_events_total{event=\"device_back\"} 1.0");
        }
    }

    private String exposed() {
        return MetricsTest.exposed(metrics);
    }

    @Test
    void shouldSayWhenTheFileCannotBeWritten() {
        assertThatThrownBy(() -> new EventLog(directory.resolve("missing/events").toString(), clock, metrics))
            .isInstanceOf(CoralException.class)
            .hasMessageContaining("file=" + directory.resolve("missing/events"));
    }
}
