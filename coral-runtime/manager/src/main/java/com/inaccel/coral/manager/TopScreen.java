package com.inaccel.coral.manager;

import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A state of the console as text of no more than {@value #COLUMNS} columns. */
final class TopScreen {
    static final int COLUMNS = 80;
    private static final int LATEST = 8;
    private static final int BAR = 10;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss").withZone(ZoneId.systemDefault());

    private final StringBuilder text = new StringBuilder();

    private TopScreen() { }

    static String render(ConsoleState state) {
        TopScreen screen = new TopScreen();
        screen.overview(state);
        screen.devices(state.devices());
        screen.allocations(state.allocations());
        screen.failures(state.events());
        screen.requests(state.requests());
        return screen.text.toString();
    }

    private void overview(ConsoleState state) {
        ConsoleState.Engine engine = state.engine();
        line("coral %s  %s  up %s", time(state.timeMillis()), state.address(),
            duration(state.timeMillis() - state.startedMillis()));
        line("requests: %.1f/s, waiting %d, done %d, failed %d, cancelled %d, run again %d", engine.donePerSecond(),
            engine.waiting(), engine.requestsDone(), engine.requestsFailed(), engine.requestsCancelled(), engine.retries());
        line("shared memory: %s used, %s pooled, of %s%s", bytes(engine.usedBytes()), bytes(engine.pooledBytes()),
            bytes(engine.limitBytes()), engine.hostFallback() ? "; no OpenCL here, the slow host device serves" : "");
    }

    private void devices(List<ConsoleState.Device> devices) {
        line("");
        line("%-18s %-7s %16s %9s %5s %s", "DEVICE", "HEALTH", "UTILIZATION", "RESIDENT", "FAILS", "PROGRAMMED");
        for (ConsoleState.Device device : devices) {
            int full = (int) Math.round(device.utilizationPercent() / 100.0 * BAR);
            line("%-18s %-7s %s%s %3d %% %9s %5d %s", cut(device.id(), 18), device.healthy() ? "healthy" : "FAILED",
                "#".repeat(full), ".".repeat(BAR - full), device.utilizationPercent(), bytes(device.residentBytes()),
                device.failures(), device.bitstream().isEmpty() ? "-" : device.bitstream());
        }
    }

    private void allocations(List<ConsoleState.Allocation> allocations) {
        line("");
        line("%-20s %5s %4s %7s %9s %8s %8s %8s", "ALLOCATION", "SHARE", "SESS", "WAITING", "DONE/S", "WAIT P50", "WAIT P95",
            "MEMORY");
        for (ConsoleState.Allocation one : allocations) {
            line("%-20s %5d %4d %7d %9.1f %8s %8s %8s", cut(one.name(), 20), one.share(), one.sessions(), one.waiting(),
                one.donePerSecond(), seconds(one.waitP50Seconds()), seconds(one.waitP95Seconds()),
                bytes(one.usedBytes() + one.pooledBytes()));
        }
        if (allocations.isEmpty()) {
            line("nobody is connected, and no allocation is granted");
        }
    }

    private void failures(List<Map<String, Object>> events) {
        line("");
        line("RECENT FAILURES");
        for (Map<String, Object> event : events.subList(0, Math.min(LATEST, events.size()))) {
            line("%s %s %s %s %s", time(Instant.parse(field(event, "time")).toEpochMilli()), field(event, "event"),
                field(event, "code"), field(event, "device") + field(event, "allocation"), field(event, "message"));
        }
        if (events.isEmpty()) {
            line("nothing has failed since the manager started");
        }
    }

    private void requests(List<RecentRequests.Ended> requests) {
        line("");
        line("%-8s %-28s %-15s %8s %8s %8s", "ENDED", "REQUEST", "ALLOCATION", "QUEUE", "TRANSFER", "RUN");
        for (RecentRequests.Ended one : requests.subList(0, Math.min(LATEST, requests.size()))) {
            String name = one.accelerator().isEmpty() ? "(not installed)" : one.accelerator();
            String start = String.format(Locale.ROOT, "%-8s %-28s %-15s ", time(one.endedMillis()), cutLeft(name, 28),
                cut(one.allocation(), 15));
            if (one.outcome().equals(Metrics.DONE)) {
                line("%s%8s %8s %8s", start, seconds(one.queueNanos() / 1e9), seconds(one.transferNanos() / 1e9),
                    seconds(one.runNanos() / 1e9));
            } else {
                line("%s%s", start, one.outcome());
            }
        }
    }

    /** One line, without what a terminal would obey: messages may quote what clients sent. */
    private void line(String format, Object... values) {
        String line = String.format(Locale.ROOT, format, values).replaceAll("\\p{C}", "?");
        text.append(cut(line, COLUMNS)).append('\n');
    }

    private static String field(Map<String, Object> event, String name) {
        return event.getOrDefault(name, "").toString();
    }

    private static String cut(String value, int length) {
        return value.length() <= length ? value : value.substring(0, length - 1) + "…";
    }

    /** The end of a qualified name says most. */
    private static String cutLeft(String value, int length) {
        return value.length() <= length ? value : "…" + value.substring(value.length() - length + 1);
    }

    private static String time(long millis) {
        return TIME.format(Instant.ofEpochMilli(millis));
    }

    private static String duration(long millis) {
        Duration duration = Duration.ofMillis(millis);
        return duration.toHours() > 0 ? duration.toHours() + " h " + duration.toMinutesPart() + " min"
            : duration.toMinutes() > 0 ? duration.toMinutes() + " min" : duration.toSeconds() + " s";
    }

    private static String seconds(Double value) {
        if (value == null) {
            return "-";
        }
        return value >= 1 ? String.format(Locale.ROOT, "%.1f s", value)
            : value >= 1e-3 ? String.format(Locale.ROOT, "%.1f ms", value * 1e3)
            : String.format(Locale.ROOT, "%.0f us", value * 1e6);
    }

    private static String bytes(long bytes) {
        String[] units = {"B", "KB", "MB", "GB", "TB"};
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < units.length - 1) {
            value /= 1024;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    }
}
