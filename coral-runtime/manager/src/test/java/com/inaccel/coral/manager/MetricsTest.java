package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.FailingEngine;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class MetricsTest {
    private static final Path GUIDE = Path.of(System.getProperty("basedir"), "..", "..", "docs", "observability.md");

    @TempDir
    Path root;

    private final Telemetry telemetry = new Telemetry("");
    private final FailingEngine failing = new FailingEngine(2, telemetry);
    private Manager manager;

    @BeforeEach
    void start() {
        manager = Manager.start(failing.engine(), telemetry, root, new Allocation("node", 64L << 20, 1), Limits.defaults());
    }

    @AfterEach
    void close() {
        try (telemetry; failing; Manager served = manager) {
            assertThat(Leaks.threads()).as("threads with neither console nor event log")
                .noneMatch(name -> name.matches("coral-(console|metrics|events).*"));
        }
        Leaks.assertNone();
    }

    static String exposed(Metrics metrics) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            metrics.write(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    private List<String> exposed() {
        return exposed(telemetry.metrics()).lines().toList();
    }

    /** Requests are counted right after their clients have the answer. */
    private void awaitLine(String line) {
        Leaks.await("exposed: " + line, Duration.ofSeconds(30), () -> exposed().contains(line));
    }

    private static void add(Session session, Segment output) {
        session.submit(SessionContract.add(session, output, 0, 16, 4)).join();
    }

    @Test
    void shouldExposeWhatTheGuideListsAndNothingElse() throws IOException {
        try (Session session = Coral.open(manager.address()); Segment output = session.allocate(4096)) {
            add(session, output);
            awaitLine("coral_request_run_seconds_count{accelerator=\"com.inaccel.math.Vector.Add\"} 1");
        }
        Set<String> types = exposed().stream().filter(line -> line.startsWith("# TYPE ")).map(line -> line.split(" ")[2])
            .collect(Collectors.toCollection(TreeSet::new));
        assertThat(types).filteredOn(name -> name.startsWith("coral_"))
            .containsExactlyInAnyOrderElementsOf(Arrays.stream(Metric.values()).map(Metric::id).toList());
        assertThat(types).filteredOn(name -> !name.startsWith("coral_"))
            .isNotEmpty().allMatch(name -> name.matches("(jvm|process)_.*"));
        assertThat(Files.readString(GUIDE)).contains(Metric.markdown());
    }

    @Test
    void shouldExposeEachMetricWithItsLabels() {
        try (Session session = Coral.open(manager.address()); Segment output = session.allocate(4096)) {
            add(session, output);
            awaitLine("coral_request_run_seconds_count{accelerator=\"com.inaccel.math.Vector.Add\"} 1");
            List<String> lines = exposed();
            for (Metric metric : Metric.values()) {
                assertThat(lines).as(metric.id()).anySatisfy(line -> {
                    assertThat(line).startsWith(metric.id());
                    for (String label : metric.labels()) {
                        assertThat(line).contains(label + "=\"");
                    }
                    assertThat(line.split("=\"", -1)).hasSizeLessThanOrEqualTo(metric.labels().length + 2); // and le
                });
            }
        }
    }

    @Test
    void shouldCountRequestsByWhatBecameOfThem() {
        try (Session session = Coral.open(manager.allocate(new Allocation("a", 1 << 20, 1)));
                Segment output = session.allocate(4096)) {
            add(session, output);
            add(session, output);
            SessionContract.assertFails(ErrorCode.OUT_OF_RANGE, session.submit(SessionContract.add(session, output, 0, 64, 99)));
            failing.vanish();
            SessionContract.assertFails(ErrorCode.DEVICE_FAILED,
                session.submit(SessionContract.add(session, output, 0, 16, 4)));
            String series = "coral_requests_total{accelerator=\"com.inaccel.math.Vector.Add\",allocation=\"a\",outcome=";
            awaitLine(series + "\"done\"} 2.0");
            awaitLine(series + "\"OUT_OF_RANGE\"} 1.0");
            awaitLine(series + "\"DEVICE_FAILED\"} 1.0");
            awaitLine("coral_request_queue_seconds_count{allocation=\"a\"} 2");
            awaitLine("coral_request_queue_seconds_bucket{allocation=\"a\",le=\"+Inf\"} 2");
            awaitLine("coral_request_retries_total 1.0");
            awaitLine("coral_device_healthy{device=\"xilinx-u250-0\"} 0.0");
            awaitLine("coral_sessions{allocation=\"a\"} 1.0");
            awaitLine("coral_shared_memory_quota_bytes{allocation=\"a\"} 1048576.0");
        }
    }

    @Test
    void shouldNotLetClientsNameSeries() {
        try (Session session = Coral.open(manager.address())) {
            for (int i = 0; i < 50; i++) {
                SessionContract.assertFails(ErrorCode.UNKNOWN_ACCELERATOR, session.submit(Request.of("invented" + i).build()));
            }
            awaitLine("coral_requests_total{accelerator=\"unknown\",allocation=\"node\",outcome=\"UNKNOWN_ACCELERATOR\"} 50.0");
            assertThat(exposed()).noneMatch(line -> line.contains("invented"));
        }
    }

    @Test
    void shouldEndTheSeriesOfAnAllocationThatIsReleased() {
        try (Session session = Coral.open(manager.allocate(new Allocation("gone-soon", 1 << 20, 1)));
                Segment output = session.allocate(4096)) {
            add(session, output);
            awaitLine("coral_request_queue_seconds_count{allocation=\"gone-soon\"} 1");
        }
        manager.release("gone-soon");
        Leaks.await("its series are gone", Duration.ofSeconds(30),
            () -> exposed().stream().noneMatch(line -> line.contains("gone-soon")));
    }
}
