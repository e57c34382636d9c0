package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.FailingEngine;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The page, in a real browser, of a real manager. */
@Timeout(180)
class ConsoleTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long QUOTA = 64L << 20;

    /** One for all tests: it takes a second to start. */
    private static Chromium browser;

    @TempDir
    Path root;

    private final Telemetry telemetry = new Telemetry("");
    private final FailingEngine failing = new FailingEngine(2, telemetry);
    private Manager manager;
    private Console console;

    private interface Question {
        boolean isTrue() throws IOException;
    }

    @BeforeAll
    static void startBrowser(@TempDir Path profile) throws IOException {
        browser = new Chromium(profile);
    }

    @AfterAll
    static void closeBrowser() throws IOException {
        if (browser != null) {
            browser.close();
        }
    }

    @BeforeEach
    void start() throws IOException {
        manager = Manager.start(failing.engine(), telemetry, root, new Allocation("node", QUOTA, 1), Limits.defaults());
        console = start(0);
        browser.size(1280, 800);
        browser.prefer("light");
    }

    private Console start(int port) {
        return Console.start(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), failing.engine(), telemetry, manager.address());
    }

    @AfterEach
    void close() throws IOException {
        try (telemetry; failing; Manager served = manager; Console shown = console) {
            browser.open("about:blank");
            browser.problems();
            browser.requested(); // the next test's start here
        }
        Leaks.assertNone();
    }

    private String url() {
        return "http://" + console.address() + "/";
    }

    private void eventually(String what, Question question) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!question.isTrue()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + PATIENCE + ": " + what + "; the page reads\n" + browser.text("body"));
            }
            TimeUnit.MILLISECONDS.sleep(50); // asking a browser keeps a core busy
        }
    }

    private void eventuallyReads(String selector, String... fragments) throws Exception {
        eventually(selector + " reads " + List.of(fragments), () -> {
            String text = browser.text(selector);
            return List.of(fragments).stream().allMatch(text::contains);
        });
    }

    private static void add(Session session, Segment output, int times) {
        for (int i = 0; i < times; i++) {
            session.submit(SessionContract.add(session, output, 0, 16, 4)).join();
        }
    }

    @Test
    void shouldShowWhatHappensWhileItHappens() throws Exception {
        browser.open(url());
        eventuallyReads("#devices", "xilinx-u250-0", "xilinx-u250-1", "healthy", "nothing yet", "256 MB");
        eventuallyReads("#requests-empty", "No request has ended yet.");
        eventuallyReads("#failures-empty", "Nothing has failed");
        eventuallyReads("#allocations-empty", "Nobody is connected");
        assertThat(browser.text("#manager")).contains(manager.address());

        String tenant = manager.allocate(new Allocation("tenant-a", 32L << 20, 3));
        try (Session session = Coral.open(tenant); Segment output = session.allocate(4096)) {
            add(session, output, 5);
            eventuallyReads("#requests", "com.inaccel.math.Vector.Add", "tenant-a", "done", "xilinx-u250-");
            eventuallyReads("#allocations tbody tr", "tenant-a", "32.0 MB");
            eventuallyReads("#tile-done", "5");
            eventuallyReads("#devices", "com.inaccel");
            eventually("utilization is drawn", () -> browser.run(
                "return document.querySelectorAll('#utilization canvas, #waiting canvas').length").asInt() == 2);
            eventuallyReads("#utilization-legend", "xilinx-u250-0", "xilinx-u250-1");

            failing.hang();
            List<CompletableFuture<?>> stuck = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                stuck.add(session.submit(SessionContract.add(session, output, 0, 16, 4)));
            }
            eventually("requests are seen waiting",
                () -> Integer.parseInt(browser.text("#tile-waiting")) >= 1);
            failing.heal();
            for (CompletableFuture<?> request : stuck) {
                request.join();
            }
            eventuallyReads("#tile-waiting", "0");
        }
        manager.release("tenant-a");
        eventually("the allocation has gone", () -> !browser.text("#allocations").contains("tenant-a"));
        requireQuiet();
    }

    @Test
    void shouldShowWhatFailsAndThatItRecovers() throws Exception {
        browser.open(url());
        try (Session session = Coral.open(manager.address()); Segment output = session.allocate(4096)) {
            SessionContract.assertFails(ErrorCode.UNKNOWN_ACCELERATOR,
                session.submit(Request.of("<img src=x onerror=alert(1)>").build()));
            eventuallyReads("#failures", "request failed UNKNOWN_ACCELERATOR", "node", "<img src=x onerror=alert(1)>");
            eventuallyReads("#requests", "not installed", "UNKNOWN_ACCELERATOR");
            eventuallyReads("#tile-failed", "1");
            add(session, output, 1);
            failing.vanish();
            SessionContract.assertFails(ErrorCode.DEVICE_FAILED,
                session.submit(SessionContract.add(session, output, 0, 16, 4)));
            eventuallyReads("#tile-devices", "0 of 2");
            eventuallyReads("#devices .unhealthy", "failed");
            eventuallyReads("#failures", "device failed", "request failed DEVICE_FAILED");
            failing.heal();
            eventuallyReads("#tile-devices", "2 of 2");
            eventuallyReads("#failures", "device back");
            add(session, output, 1);
        }
        requireQuiet();
    }

    @Test
    void shouldSayWhenTheManagerDoesNotAnswerAndGoOnWhenItDoes() throws Exception {
        browser.open(url());
        eventuallyReads("#tile-devices", "2 of 2");
        assertThat(browser.isVisible("#unreachable")).isFalse();
        int port = URI.create(url()).getPort();
        console.close();
        eventuallyReads("#unreachable", "has not answered since");
        console = start(port);
        eventually("it answers again", () -> !browser.isVisible("#unreachable"));
    }

    @Test
    void shouldShowAllOfALongListWhenAsked() throws Exception {
        browser.open(url());
        try (Session session = Coral.open(manager.address()); Segment output = session.allocate(4096)) {
            add(session, output, 20);
            eventuallyReads("button[data-list=requests]", "Show all 20");
            assertThat(rows()).isEqualTo(12);
            browser.click("button[data-list=requests]");
            assertThat(rows()).isEqualTo(20);
            browser.click("button[data-list=requests]");
            assertThat(rows()).isEqualTo(12);
        }
    }

    private int rows() throws IOException {
        return browser.run("return document.querySelectorAll('#requests tbody tr').length").asInt();
    }

    @Test
    void shouldStandStillWhilePaused() throws Exception {
        browser.open(url());
        eventuallyReads("#tile-done", "0");
        browser.click("#pause");
        assertThat(browser.run("return document.getElementById('pause').getAttribute('aria-pressed')").asText())
            .isEqualTo("true");
        try (Session session = Coral.open(manager.address()); Segment output = session.allocate(4096)) {
            add(session, output, 1);
            // No state is asked for, so there is nothing to wait for: what was on its way has come when this is answered.
            browser.run("return fetch('api/state').then(answer => answer.status)");
            assertThat(browser.text("#tile-done")).isEqualTo("0");
            browser.click("#pause");
            eventuallyReads("#tile-done", "1");
        }
    }

    @Test
    void shouldFitAPhoneInLightAndInDark() throws Exception {
        try (Session session = Coral.open(manager.allocate(new Allocation("team-recommendations-batch-0042", 1 << 20, 1)));
                Segment output = session.allocate(4096)) {
            add(session, output, 3);
            SessionContract.assertFails(ErrorCode.UNKNOWN_ACCELERATOR,
                session.submit(Request.of("com.example." + "Long".repeat(40)).build()));
            for (String scheme : List.of("light", "dark")) {
                for (int width : List.of(1280, 390, 360)) {
                    browser.size(width, 800);
                    browser.prefer(scheme);
                    browser.open(url());
                    eventuallyReads("#requests", "com.inaccel.math.Vector.Add");
                    eventuallyReads("#failures", "LongLong");
                    assertThat(browser.run("return document.documentElement.scrollWidth").asInt())
                        .as("width of the page on a screen of " + width).isLessThanOrEqualTo(width);
                    keep(scheme + "-" + width);
                }
            }
        }
        requireQuiet();
    }

    /** Where {@code console.screenshots} says, for a person to look at. */
    private void keep(String name) throws IOException {
        String place = System.getProperty("console.screenshots");
        if (place != null) {
            Files.write(Path.of(place, name + ".png"), browser.screenshot(/* wholePage= */ true));
        }
    }

    /** No errors on the page, and no request to another machine, nor to anything but the console. */
    private void requireQuiet() throws IOException {
        assertThat(browser.problems()).isEmpty();
        List<URI> requested = browser.requested().stream().filter(uri -> !uri.getScheme().matches("data|chrome|about")).toList();
        assertThat(requested).isNotEmpty().allSatisfy(uri -> assertThat(uri.toString()).startsWith(url()));
    }
}
