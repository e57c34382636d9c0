package com.inaccel.coral.manager;

import static com.inaccel.coral.manager.SessionContract.assertFails;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sessions outlive their manager, as long as another one comes. */
@Timeout(120)
class RecoveryTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long LIMIT = 64 << 20;
    private static final int N = 1024;
    private static final long BYTES = (long) N * Float.BYTES;

    @TempDir
    Path root;

    private Engine engine;
    private Manager manager;

    private void start(Map<String, String> config) {
        engine = Engine.start(EngineConfig.of(config));
        manager = Manager.start(engine, root, new Allocation("node", LIMIT, 1),
            new Limits(64, 1_024, 1_000_000, Duration.ofSeconds(10), Duration.ofSeconds(30)));
    }

    private void stop() {
        manager.close();
        engine.close();
    }

    @AfterEach
    void nothingIsLeft() {
        if (manager != null) {
            stop();
        }
        Leaks.assertNone();
    }

    @Test
    void shouldEndEveryRequestOnceAndRightWhenManagersAreKilledUnderThem() throws Exception {
        int rounds = 400;
        Path socket = root.resolve(Manager.SOCKET_NAME);
        try (NodeProcess first = NodeProcess.start(root); Session session = Coral.open("unix:" + socket, PATIENCE)) {
            Segment inputs = filled(session);
            List<Segment> outputs = new ArrayList<>();
            List<CompletableFuture<Completion>> requests = new ArrayList<>();
            NodeProcess node = first;
            for (int i = 0; i < rounds; i++) {
                Segment output = session.allocate(BYTES);
                outputs.add(output);
                requests.add(session.submit(add(inputs, i, output)));
                if (i % 100 == 50) {
                    node.kill();
                    node = NodeProcess.start(root); // a second later: the calls after the kill wait
                }
            }
            node.close();
            NodeProcess.start(root).closeAfter(() -> {
                for (CompletableFuture<Completion> request : requests) {
                    request.get(60, TimeUnit.SECONDS);
                }
                assertThat(session.isOpen()).isTrue();
            });
            for (int i = 0; i < rounds; i++) {
                assertSums(outputs.get(i), i);
            }
        }
    }

    @Test
    void shouldGoOnWithTheNextManagerWhenOneIsStopped() throws Exception {
        start(SessionContract.HOST);
        try (Session session = Coral.open(manager.address(), PATIENCE)) {
            Segment inputs = filled(session);
            Segment sealed = session.allocate(1 << 20);
            sealed.buffer(0, 8).putLong(0, 42);
            sealed.seal(5000);
            Segment freed = session.allocate(1 << 20);
            stop();
            assertThat(session.isOpen()).isTrue();
            freed.close();
            Segment output = allocateWhileThereIsNoManager(session);
            assertThat(engine.stats().usedBytes()).isEqualTo(inputs.sizeBytes() + 8192 + output.sizeBytes());
            assertThat(sealed.isSealed()).isTrue();
            assertFails(ErrorCode.SEGMENT_SEALED, session.submit(add(inputs, 0, sealed)));
            assertThat(sealed.buffer(0, 8).getLong(0)).isEqualTo(42);
            session.submit(add(inputs, 3, output)).get();
            assertSums(output, 3);
            assertThat(session.devices()).hasSize(1);
            // Ids of before mean nothing now: each names the segment that it has always named.
            for (Segment segment : List.of(inputs, sealed, output)) {
                segment.close();
            }
            Leaks.await("all is freed", Duration.ofSeconds(5), () -> engine.stats().usedBytes() == 0);
        }
    }

    private Segment allocateWhileThereIsNoManager(Session session) throws Exception {
        CompletableFuture<Segment> output = CompletableFuture.supplyAsync(() -> session.allocate(BYTES));
        start(SessionContract.HOST);
        return output.get(30, TimeUnit.SECONDS);
    }

    @Test
    void shouldRunARequestAgainWhoseSegmentsWereClosedAndForgetACancelledOne() throws Exception {
        start(SessionContract.SLOW);
        try (Session session = Coral.open(manager.address(), PATIENCE)) {
            Segment inputs = filled(session);
            Segment output = session.allocate(BYTES);
            stop();
            CompletableFuture<Completion> request = session.submit(add(inputs, 1, output));
            CompletableFuture<Completion> cancelled = session.submit(add(inputs, 1, output));
            CompletableFuture<Completion> refused = session.submit(Request.of("x".repeat(2 << 20)).build());
            inputs.close();
            cancelled.cancel(true);
            start(SessionContract.HOST);
            request.get(30, TimeUnit.SECONDS);
            assertFails(ErrorCode.INVALID_ARGUMENT, refused);
            assertSums(output, 1);
            Leaks.await("what was closed is freed", Duration.ofSeconds(5),
                () -> engine.stats().usedBytes() == output.sizeBytes());
            // The answer goes out before it is counted.
            Leaks.await("one is done", Duration.ofSeconds(5), () -> engine.stats().requestsDone() == 1);
        }
    }

    @Test
    void shouldEndWhenNoOtherManagerComes() throws Exception {
        start(SessionContract.HOST);
        try (Session session = Coral.open(manager.address(), Duration.ofMillis(200))) {
            Segment segment = session.allocate(BYTES);
            stop();
            assertFails(ErrorCode.CONNECTION_LOST, session.submit(add(segment, 0, segment)))
                .hasMessageContaining("no other manager came").hasMessageContaining("PT0.2S");
            assertThat(session.isOpen()).isFalse();
            segment.buffer(0, 8).putLong(0, 1); // mapped until the session is closed
        }
    }

    @Test
    void shouldCloseAtOnceWhileItLooksForAManager() {
        start(SessionContract.HOST);
        Session session = Coral.open(manager.address(), PATIENCE);
        CompletableFuture<Completion> request;
        try (session) {
            Segment segment = session.allocate(BYTES);
            stop();
            request = session.submit(add(segment, 0, segment));
        }
        assertFails(ErrorCode.SESSION_CLOSED, request);
    }

    @Test
    void shouldEndWhenTheNextManagerHasNoRoomForItsSegments() {
        start(SessionContract.HOST);
        try (Session session = Coral.open(manager.address(), PATIENCE)) {
            session.allocate(32 << 20);
            stop();
            engine = Engine.start(EngineConfig.of(Map.of("coral.devices", "host", "coral.memory.limit", "16MB")));
            manager = Manager.start(engine, root, new Allocation("node", 16 << 20, 1), Limits.defaults());
            assertFails(ErrorCode.QUOTA_EXCEEDED, () -> session.allocate(1))
                .hasMessageContaining("requestedBytes=" + (32 << 20)).hasMessageContaining("limitBytes=" + (16 << 20));
            assertThat(session.isOpen()).isFalse();
        }
        assertThat(engine.stats().usedBytes()).isZero();
    }

    @Test
    void shouldTakeInWhatItsAllocationHadOnly() throws Exception {
        start(SessionContract.HOST);
        Allocation pod = new Allocation("pod", 1 << 20, 1);
        String address = manager.allocate(pod);
        try (Session session = Coral.open(address, PATIENCE)) {
            Segment most = session.allocate((1 << 20) - 4096);
            stop();
            start(SessionContract.HOST);
            session.allocate(4096).close();
            assertFails(ErrorCode.QUOTA_EXCEEDED, () -> session.allocate(8192)).hasMessageContaining("allocation=pod");
            most.close();
        }
        manager.release("pod");
    }

    private static Segment filled(Session session) {
        Segment inputs = session.allocate(2 * BYTES);
        FloatBuffer values = inputs.buffer(0, 2 * BYTES).asFloatBuffer();
        for (int i = 0; i < N; i++) {
            values.put(i, i).put(N + i, 1);
        }
        return inputs;
    }

    /** With a first operand that begins at the row: no two requests have the same result. */
    private static Request add(Segment inputs, int row, Segment output) {
        return Request.of(SessionContract.ADD).read(inputs, (long) row * Float.BYTES, BYTES - (long) row * Float.BYTES)
            .read(inputs, BYTES, BYTES).write(output, 0, BYTES).arg(N - row).build();
    }

    private static void assertSums(Segment output, int row) {
        FloatBuffer sums = output.buffer(0, BYTES).asFloatBuffer();
        for (int i = 0; i < N - row; i++) {
            assertThat(sums.get(i)).isEqualTo(row + i + 1f);
        }
    }
}
