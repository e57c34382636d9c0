package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.DeviceContract.add;
import static com.inaccel.coral.engine.Vectors.ADD;
import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.failure;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.Completion;
import com.inaccel.coral.Coral;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.EmulatedDevice.Fault;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a session promises, on one emulated device with one lane, whose hanging stands for a long run. */
@ExtendWith(Leaks.class)
class EngineTest {
    private final EmulatedDevice device = new EmulatedDevice("xilinx-u250-0", "xilinx", "u250", 64 << 20,
        Duration.ZERO, new HostDevice(1L << 30));
    private Engine engine;
    private EngineSession session;

    @BeforeEach
    void start() {
        engine = start(Map.of());
        session = engine.open(TENANT);
    }

    @AfterEach
    void close() {
        device.abort();
        engine.close();
    }

    private Engine start(Map<String, String> config) {
        Map<String, String> values = new HashMap<>(config);
        values.putIfAbsent("coral.queue.limit", "4");
        values.putIfAbsent("coral.device.lanes", "1");
        return Engine.start(EngineConfig.of(values), BitstreamStore.builtIn(), List.of(device), 0);
    }

    private CompletableFuture<Completion> occupyDevice(Vectors vectors) {
        device.inject(Fault.HANG);
        CompletableFuture<Completion> running = vectors.submit();
        Vectors.eventually("the device is busy", () -> engine.stats().queueLength() == 0);
        return running;
    }

    @ParameterizedTest
    @CsvSource({"0", "-1", "2147479553", "9223372036854775807"})
    void shouldRefuseSizesThatNoSegmentHas(long bytes) {
        assertThat(failure(() -> session.allocate(bytes)).code()).isEqualTo(ErrorCode.INVALID_ARGUMENT);
    }

    @Test
    void shouldRefuseMoreThanTheQuotaAcrossSessionsOfAnAllocation() {
        Allocation small = new Allocation("small", 8192, 1);
        try (EngineSession one = engine.open(small); EngineSession two = engine.open(small)) {
            one.allocate(4096);
            EngineSegment segment = two.allocate(4096);
            assertThat(failure(() -> one.allocate(1)).code()).isEqualTo(ErrorCode.QUOTA_EXCEEDED);
            segment.close();
            one.allocate(4096);
        }
    }

    @Test
    void shouldChargeOnlyWhatASealKeeps() {
        try (EngineSegment segment = session.allocate(1 << 20)) {
            segment.buffer(0, 1 << 20).put(new byte[1 << 20]);
            segment.seal(5000);
            assertThat(segment.isSealed()).isTrue();
            assertThat(segment.sizeBytes()).isEqualTo(8192);
            assertThat(segment.memory().committedBytes()).isEqualTo(8192);
            assertThat(engine.stats().usedBytes()).isEqualTo(8192);
            assertThat(failure(() -> segment.buffer(8192, 1)).code()).isEqualTo(ErrorCode.OUT_OF_RANGE);
        }
    }

    @Test
    void shouldTakeBackWhatAPeerWritesBehindASealedSegment() {
        EngineSegment segment = session.allocate(1 << 20);
        segment.seal(4096);
        segment.memory().buffer(4096, 4096).putLong(0, 1);
        assertThat(segment.memory().committedBytes()).isGreaterThanOrEqualTo(4096);
        session.reclaimTails();
        assertThat(segment.memory().committedBytes()).isLessThanOrEqualTo(4096);
    }

    @Test
    void shouldEmulateDevicesWhoseRunsTakeLonger() {
        EngineConfig config = EngineConfig.of(Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "0ms",
            "coral.emulate.run", "25ms"));
        try (Engine slow = Engine.start(config); EngineSession client = slow.open(TENANT)) {
            EngineSegment a = client.allocate(4096);
            assertThat(Vectors.get(client.submit(add(a, 0, a, 8, a, 32, 2))).runNanos()).isGreaterThanOrEqualTo(25_000_000);
        }
    }

    @Test
    void shouldNameWhatIsInstalledForAnUnknownAccelerator() {
        requireFailure(session.submit(Request.of("com.example.Nothing").build()), ErrorCode.UNKNOWN_ACCELERATOR,
            "accelerator=com.example.Nothing", "xilinx/u250", ADD);
    }

    @Test
    void shouldRefuseArgumentsThatDoNotFitTheSignature() {
        EngineSegment a = session.allocate(4096);
        requireFailure(session.submit(Request.of(ADD).read(a, 0, 4).build()), ErrorCode.INVALID_ARGUMENT,
            "given=1, expected=4");
        requireFailure(session.submit(Request.of(ADD).arg(1).arg(1).arg(1).arg(1).build()), ErrorCode.INVALID_ARGUMENT,
            "parameter=a", "given=Int, expected=FLOATS");
        requireFailure(session.submit(Request.of(ADD).read(a, 0, 4).read(a, 4, 4).write(a, 8, 4).arg(1L).build()),
            ErrorCode.INVALID_ARGUMENT, "parameter=n", "given=Long, expected=INT");
        requireFailure(session.submit(Request.of(ADD).read(a, 0, 4).read(a, 4, 4).read(a, 8, 4).arg(1).build()),
            ErrorCode.INVALID_ARGUMENT, "parameter=c", "given=READ, expected=WRITE");
        requireFailure(session.submit(add(a, 2, a, 4, a, 8, 1)), ErrorCode.INVALID_ARGUMENT,
            "parameter=a", "elementBytes=4");
        requireFailure(session.submit(Request.of(ADD).read(a, 0, 4).read(a, 4, 4).write(a, 8, 4).arg(-1).build()),
            ErrorCode.INVALID_ARGUMENT, "n=-1");
        requireFailure(session.submit(Request.of(ADD).read(a, 0, 4).read(a, 4, 4).write(a, 8, 4).arg(2).build()),
            ErrorCode.OUT_OF_RANGE, "neededBytes=8");
    }

    @ParameterizedTest
    @CsvSource({"-4, 4", "0, -4", "4096, 4", "4092, 8", "0, 4100", "9223372036854775804, 8", "4, 9223372036854775804",
        "-9223372036854775808, 4", "-4, 9223372036854775804"})
    void shouldRefuseSlicesOutsideTheirSegment(long offset, long length) {
        EngineSegment a = session.allocate(4096);
        EngineSegment c = session.allocate(4096);
        Argument outside = new Argument.Slice(a, offset, length, Access.READ);
        requireFailure(session.submit(Request.of(ADD).arg(outside).read(a, 0, 4).write(c, 0, 4).arg(1).build()),
            ErrorCode.OUT_OF_RANGE, "parameter=a", "segmentBytes=4096");
    }

    @Test
    void shouldRefuseOverlappingWrites() {
        EngineSegment a = session.allocate(4096);
        requireFailure(session.submit(add(a, 0, a, 16, a, 12, 4)), ErrorCode.INVALID_ARGUMENT,
            "overlaps", "parameter=c", "other=a");
        Vectors.get(session.submit(add(a, 0, a, 8, a, 32, 4)));
    }

    @Test
    void shouldRefuseToWriteSealedSegments() {
        EngineSegment a = session.allocate(4096);
        a.seal(4096);
        requireFailure(session.submit(add(a, 0, a, 16, a, 32, 4)), ErrorCode.SEGMENT_SEALED, "parameter=c");
    }

    @Test
    void shouldRefuseSegmentsOfOthersAndClosedOnes() {
        EngineSegment own = session.allocate(4096);
        try (EngineSession other = engine.open(TENANT)) {
            EngineSegment foreign = other.allocate(4096);
            requireFailure(session.submit(add(own, 0, foreign, 0, own, 32, 4)), ErrorCode.UNKNOWN_SEGMENT, "parameter=b");
        }
        EngineSegment closed = session.allocate(4096);
        closed.close();
        requireFailure(session.submit(add(own, 0, closed, 0, own, 32, 4)), ErrorCode.UNKNOWN_SEGMENT);
        assertThat(failure(() -> closed.buffer(0, 1)).code()).isEqualTo(ErrorCode.UNKNOWN_SEGMENT);
    }

    @Test
    void shouldHoldNoSegmentOfARefusedRequest() {
        EngineSegment a = session.allocate(4096);
        requireFailure(session.submit(add(a, 0, a, 16, a, 12, 4)), ErrorCode.INVALID_ARGUMENT);
        a.close();
        assertThat(engine.stats().usedBytes()).isZero();
    }

    @Test
    void shouldRefuseRequestsBeyondTheQueuesLimit() {
        Vectors vectors = new Vectors(session, 100, 1);
        CompletableFuture<Completion> running = occupyDevice(vectors);
        List<CompletableFuture<Completion>> waiting = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            waiting.add(vectors.submit());
        }
        requireFailure(vectors.submit(), ErrorCode.QUEUE_FULL, "waiting=4", "limit=4");
        device.heal();
        Vectors.get(running);
        waiting.forEach(Vectors::get);
    }

    @Test
    void shouldCancelWaitingRequestsAndFreeTheirSegments() {
        Vectors running = new Vectors(session, 100, 1);
        CompletableFuture<Completion> first = occupyDevice(running);
        Vectors vectors = new Vectors(session, 100, 2);
        CompletableFuture<Completion> second = vectors.submit();
        assertThat(engine.stats().queueLength()).isEqualTo(1);
        assertThat(second.cancel(true)).isTrue();
        assertThat(engine.stats().queueLength()).isZero();
        long used = engine.stats().usedBytes();
        vectors.close();
        assertThat(engine.stats().usedBytes()).isLessThan(used);
        device.heal();
        Vectors.get(first);
        assertThat(engine.stats().requestsCancelled()).isEqualTo(1);
    }

    @Test
    void shouldCancelRunningRequestsWithoutPublishingTheirResults() {
        Vectors vectors = new Vectors(session, 100, 1);
        vectors.clearOutput();
        CompletableFuture<Completion> running = occupyDevice(vectors);
        assertThat(running.cancel(true)).isTrue();
        long used = engine.stats().usedBytes();
        device.heal();
        Vectors after = new Vectors(session, 100, 2);
        after.run();
        after.close();
        assertThat(vectors.output.buffer(0, 4).getFloat(0)).isNaN();
        assertThat(engine.stats().usedBytes()).isEqualTo(used);
        vectors.close();
        assertThat(engine.stats().usedBytes()).isZero();
    }

    @Test
    void shouldEndWaitingAndRunningRequestsAtTheirDeadline() {
        Vectors vectors = new Vectors(session, 100, 1);
        device.inject(Fault.HANG);
        Duration timeout = Duration.ofMillis(20);
        CompletableFuture<Completion> running = session.submit(vectors.request().timeout(timeout).build());
        CompletableFuture<Completion> waiting = session.submit(vectors.request().timeout(timeout).build());
        requireFailure(running, ErrorCode.DEADLINE_EXCEEDED, "timeout=PT0.02S");
        requireFailure(waiting, ErrorCode.DEADLINE_EXCEEDED);
        assertThat(engine.stats().queueLength()).isZero();
        vectors.close();
        assertThat(engine.stats().usedBytes()).as("held while the device runs").isPositive();
        device.heal();
        Vectors.eventually("the device lets go", () -> engine.stats().usedBytes() == 0);
    }

    @Test
    void shouldTakeTimeoutsOfAnyLength() {
        Vectors vectors = new Vectors(session, 100, 1);
        Vectors.get(session.submit(vectors.request().timeout(Duration.ofSeconds(Long.MAX_VALUE)).build()));
        for (Duration none : List.of(Duration.ZERO, Duration.ofSeconds(Long.MIN_VALUE))) {
            requireFailure(session.submit(vectors.request().timeout(none).build()), ErrorCode.DEADLINE_EXCEEDED);
        }
    }

    @Test
    void shouldNotLetAFullQueueOfOneAllocationHurtAnother() {
        Vectors vectors = new Vectors(session, 100, 1);
        occupyDevice(vectors);
        for (int i = 0; i < 4; i++) {
            vectors.submit();
        }
        requireFailure(vectors.submit(), ErrorCode.QUEUE_FULL);
        Vectors others = new Vectors(engine.open(new Allocation("other", 1 << 20, 1)), 100, 2);
        CompletableFuture<Completion> accepted = others.submit();
        device.heal();
        Vectors.get(accepted);
        others.requireSums();
    }

    @Test
    void shouldEndOutstandingRequestsWhenTheSessionCloses() {
        Vectors vectors = new Vectors(session, 100, 1);
        CompletableFuture<Completion> running = occupyDevice(vectors);
        CompletableFuture<Completion> waiting = vectors.submit();
        session.close();
        requireFailure(running, ErrorCode.SESSION_CLOSED);
        requireFailure(waiting, ErrorCode.SESSION_CLOSED);
        assertThat(session.isOpen()).isFalse();
        requireFailure(vectors.submit(), ErrorCode.SESSION_CLOSED);
        assertThat(failure(() -> session.allocate(1)).code()).isEqualTo(ErrorCode.SESSION_CLOSED);
        device.heal();
        Vectors.eventually("the device lets go", () -> engine.stats().usedBytes() == 0);
    }

    @Test
    void shouldCountWhatHappened() {
        Vectors vectors = new Vectors(session, 100, 1);
        vectors.run();
        requireFailure(session.submit(vectors.request().timeout(Duration.ZERO).build()), ErrorCode.DEADLINE_EXCEEDED);
        EngineStats stats = engine.stats();
        assertThat(stats.requestsDone()).isEqualTo(1);
        assertThat(stats.requestsFailed()).isEqualTo(1);
        assertThat(stats.usedBytes()).isEqualTo(8192);
        assertThat(stats.devices()).singleElement().satisfies(only -> {
            assertThat(only.bitstream()).isEqualTo("com.inaccel.math.Vector 1.0");
            assertThat(only.programmings()).isEqualTo(1);
            assertThat(only.residentBytes()).isEqualTo(800);
            assertThat(only.healthy()).isTrue();
        });
        vectors.close();
        assertThat(engine.stats().pooledBytes()).isEqualTo(8192);
        assertThat(engine.stats().devices().get(0).residentBytes()).isZero();
    }

    @Test
    void shouldCloseTwiceAndRefuseSessionsAfterwards() {
        engine.close();
        engine.close();
        assertThat(failure(() -> engine.open(TENANT)).code()).isEqualTo(ErrorCode.SESSION_CLOSED);
    }

    @Test
    void shouldServeEmbeddedSessionsFromOneEngine() {
        try (Session one = Coral.open(Coral.EMBEDDED); Session two = Coral.open(Coral.EMBEDDED)) {
            assertThat(one.accelerators()).contains(ADD);
            assertThat(two.devices()).isEqualTo(one.devices());
            assertThat(one.address()).isEqualTo("embedded:");
            try (Segment a = one.allocate(64); Segment c = one.allocate(64)) {
                a.buffer(0, 4).putFloat(0, 21);
                Vectors.get(one.submit(Request.of(ADD).read(a, 0, 4).read(a, 0, 4).write(c, 0, 4).arg(1).build()));
                assertThat(c.buffer(0, 4).getFloat(0)).isEqualTo(42);
            }
        }
    }
}
