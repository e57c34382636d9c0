package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.DeviceContract.add;
import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.GatedDevice.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The order of requests that write what others read or write, on two devices with two units each. */
@ExtendWith(Leaks.class)
class ConflictsTest {
    private static final int FLOATS = 16;
    private static final int BYTES = FLOATS * Float.BYTES;

    private final List<GatedDevice> devices = new ArrayList<>();
    private Engine engine;
    private EngineSession session;
    private EngineSegment segment;

    @BeforeEach
    void start() {
        for (int i = 0; i < 2; i++) {
            devices.add(new GatedDevice(new EmulatedDevice("xilinx-u250-" + i, "xilinx", "u250", 1 << 20, Duration.ZERO,
                Duration.ZERO, 2, new HostDevice(1L << 30))));
        }
        engine = Engine.start(EngineConfig.of(Map.of("coral.queue.limit", "4", "coral.scheduler.starvation", "0s")),
            BitstreamStore.builtIn(), List.copyOf(devices), 0);
        session = engine.open(TENANT);
        segment = session.allocate(4096);
        for (int i = 0; i < FLOATS; i++) {
            segment.buffer(0, BYTES).putFloat(4 * i, i);
        }
    }

    @AfterEach
    void close() {
        devices.forEach(GatedDevice::open);
        engine.close();
    }

    /** Vector {@code to} becomes twice vector {@code from}, both counted from the start of the segment. */
    private CompletableFuture<Completion> twice(int from, int to) {
        return session.submit(add(segment, (long) from * BYTES, segment, (long) from * BYTES, segment, (long) to * BYTES,
            FLOATS));
    }

    private void hold(Step step) {
        devices.forEach(device -> device.hold(step));
    }

    private void open() {
        devices.forEach(GatedDevice::open);
    }

    private int inside(Step step) {
        return devices.stream().mapToInt(device -> device.inside(step)).sum();
    }

    private void requireVector(int vector, int factor) {
        for (int i = 0; i < FLOATS; i++) {
            assertThat(segment.buffer((long) vector * BYTES, BYTES).getFloat(4 * i)).isEqualTo(factor * i);
        }
    }

    @Test
    void shouldReadWhatAnEarlierRequestWrites() {
        for (int round = 0; round < 20; round++) {
            twice(0, 1);
            twice(1, 2);
            Vectors.get(twice(2, 3));
            requireVector(3, 8);
            segment.buffer(BYTES, 3 * BYTES).put(new byte[3 * BYTES]);
        }
    }

    @Test
    void shouldNotOverwriteWhatAnEarlierRequestReads() {
        hold(Step.COPY_IN);
        CompletableFuture<Completion> reads = twice(0, 1);
        CompletableFuture<Completion> writes = twice(2, 0);
        Vectors.eventually("the first has a lane", () -> inside(Step.COPY_IN) == 1);
        assertThat(engine.stats().queueLength()).isEqualTo(1);
        open();
        Vectors.get(writes);
        Vectors.get(reads);
        requireVector(1, 2);
        requireVector(0, 0);
    }

    @Test
    void shouldKeepTheOrderOfWritesWhateverTheirPriority() {
        hold(Step.RUN);
        CompletableFuture<Completion> first = twice(0, 1);
        CompletableFuture<Completion> second = session.submit(com.inaccel.coral.Request.of(Vectors.ADD)
            .read(segment, 3 * BYTES, BYTES).read(segment, 3 * BYTES, BYTES).write(segment, BYTES, BYTES).arg(FLOATS)
            .priority(10).build());
        open();
        Vectors.get(second);
        Vectors.get(first);
        requireVector(1, 0);
    }

    @Test
    void shouldRunSideBySideWhatDoesNotConflict() {
        hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = List.of(twice(0, 1), twice(0, 2), twice(0, 3), twice(0, 4));
        Vectors.eventually("all run", () -> inside(Step.RUN) == 4);
        open();
        futures.forEach(Vectors::get);
    }

    @Test
    void shouldWaitForACancelledRequestThatStillRuns() {
        hold(Step.COPY_OUT);
        CompletableFuture<Completion> cancelled = twice(0, 1);
        Vectors.eventually("it writes", () -> inside(Step.COPY_OUT) == 1);
        cancelled.cancel(true);
        CompletableFuture<Completion> next = twice(2, 1);
        Vectors behind = new Vectors(session, FLOATS, 1);
        CompletableFuture<Completion> last = behind.submit();
        Vectors.eventually("the one behind it is placed, as no other is",
            () -> devices.stream().anyMatch(device -> device.entered(Step.PLACE) > 0));
        assertThat(engine.stats().queueLength()).isEqualTo(1);
        open();
        Vectors.get(next);
        Vectors.get(last);
        requireVector(1, 0);
    }

    @Test
    void shouldGoOnWhenWhatWasWaitedForFailsOrIsCancelledBeforeItRan() {
        hold(Step.RUN);
        CompletableFuture<Completion> running = twice(0, 1);
        CompletableFuture<Completion> waiting = twice(1, 2);
        CompletableFuture<Completion> last = twice(0, 2);
        waiting.cancel(true);
        Vectors.eventually("the last need not wait for the first", () -> inside(Step.RUN) == 2);
        open();
        Vectors.get(running);
        Vectors.get(last);
        requireVector(2, 2);
    }

    @Test
    void shouldCountWhatWaitsForOthersAgainstTheQueuesLimit() {
        hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            futures.add(twice(i, i + 1));
            Vectors.eventually("the first has a lane", () -> inside(Step.RUN) == 1);
        }
        assertThat(engine.stats().queueLength()).isEqualTo(4);
        assertThat(engine.stats().allocations()).singleElement().satisfies(one -> assertThat(one.waiting()).isEqualTo(4));
        requireFailure(twice(8, 9), ErrorCode.QUEUE_FULL, "limit=4");
        open();
        futures.forEach(Vectors::get);
        requireVector(5, 32);
    }

    @Test
    void shouldEndWhatWaitsForOthersWhenTheSessionCloses() {
        hold(Step.RUN);
        twice(0, 1);
        CompletableFuture<Completion> waiting = twice(1, 2);
        Vectors.eventually("the first runs", () -> inside(Step.RUN) == 1);
        session.close();
        requireFailure(waiting, ErrorCode.SESSION_CLOSED);
        open();
        Vectors.eventually("all is let go", () -> engine.stats().usedBytes() == 0);
    }

    @Test
    void shouldReadASealedSegmentAfterWhatStillWritesIt() {
        hold(Step.RUN);
        twice(0, 1);
        segment.seal(4096);
        EngineSegment result = session.allocate(BYTES);
        CompletableFuture<Completion> reads = session.submit(add(segment, BYTES, segment, BYTES, result, 0, FLOATS));
        assertThat(engine.stats().queueLength()).isGreaterThanOrEqualTo(1);
        open();
        Vectors.get(reads);
        assertThat(result.buffer(0, BYTES).getFloat(4)).isEqualTo(4);
    }
}
