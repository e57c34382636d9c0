package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.DeviceContract.add;
import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.get;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.engine.GatedDevice.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Several requests on one device at once, held at its steps. */
@ExtendWith(Leaks.class)
class LanesTest {
    private static final int MEMORY = 1 << 20;

    private final List<GatedDevice> devices = new ArrayList<>();
    private Engine engine;
    private EngineSession session;

    @AfterEach
    void close() {
        devices.forEach(GatedDevice::open);
        engine.close();
    }

    private GatedDevice start(int units) {
        return start(1, units, Map.of()).get(0);
    }

    private List<GatedDevice> start(int count, int units, Map<String, String> config) {
        Map<String, String> values = new HashMap<>(Map.of("coral.device.probe", "1ms"));
        values.putAll(config);
        for (int i = 0; i < count; i++) {
            devices.add(new GatedDevice(new EmulatedDevice("xilinx-u250-" + i, "xilinx", "u250", MEMORY, Duration.ZERO,
                Duration.ZERO, units, new HostDevice(1L << 30))));
        }
        engine = Engine.start(EngineConfig.of(values), BitstreamStore.builtIn(), List.copyOf(devices), 0);
        session = engine.open(TENANT);
        return devices;
    }

    private List<Vectors> vectors(int count) {
        return IntStream.range(0, count).mapToObj(seed -> new Vectors(session, 1000, seed)).toList();
    }

    private static List<CompletableFuture<Completion>> submit(List<Vectors> all) {
        all.forEach(Vectors::clearOutput);
        return all.stream().map(Vectors::submit).toList();
    }

    private DeviceStats stats(int device) {
        return engine.stats().devices().get(device);
    }

    @Test
    void shouldCopyForOneRequestWhileAnotherRuns() {
        GatedDevice device = start(1);
        List<Vectors> all = vectors(2);
        device.hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = submit(all);
        device.awaitInside(Step.RUN, 1);
        Vectors.eventually("the other's inputs and output are there", () -> device.entered(Step.COPY_IN) == 2
            && device.inside(Step.COPY_IN) == 0);
        device.hold(Step.COPY_OUT);
        device.letOne(Step.RUN);
        device.awaitInside(Step.COPY_OUT, 1);
        device.awaitInside(Step.RUN, 1);
        device.open();
        futures.forEach(Vectors::get);
        all.forEach(Vectors::requireSums);
        assertThat(device.most(Step.RUN)).isEqualTo(1);
    }

    @Test
    void shouldRunAsManyRequestsAtOnceAsThereAreComputeUnits() {
        GatedDevice device = start(3);
        List<Vectors> all = vectors(12);
        device.hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = submit(all);
        device.awaitInside(Step.RUN, 3);
        Vectors.eventually("one more is copied", () -> device.entered(Step.COPY_IN) == 4);
        assertThat(stats(0).requests()).isEqualTo(4);
        device.open();
        futures.forEach(Vectors::get);
        all.forEach(Vectors::requireSums);
        assertThat(device.most(Step.RUN)).isEqualTo(3);
        assertThat(stats(0).programmings()).isEqualTo(1);
    }

    @Test
    void shouldWorkOnAsManyRequestsAsConfigured() {
        GatedDevice device = start(1, 1, Map.of("coral.device.lanes", "1")).get(0);
        device.hold(Step.COPY_OUT);
        List<CompletableFuture<Completion>> futures = submit(vectors(3));
        device.awaitInside(Step.COPY_OUT, 1);
        assertThat(engine.stats().queueLength()).isEqualTo(2);
        device.open();
        futures.forEach(Vectors::get);
        assertThat(device.most(Step.COPY_IN)).isEqualTo(1);
    }

    @Test
    void shouldPlaceASliceOnceForAllRequestsThatShareIt() {
        GatedDevice device = start(3);
        Vectors shared = new Vectors(session, 1000, 7);
        device.hold(Step.PLACE);
        List<EngineSegment> outputs = IntStream.range(0, 4).mapToObj(i -> session.allocate(shared.bytes())).toList();
        List<CompletableFuture<Completion>> futures = outputs.stream()
            .map(output -> session.submit(add(shared.inputs, 0, shared.inputs, shared.bytes(), output, 0, 1000))).toList();
        Vectors.eventually("four lanes have their requests", () -> stats(0).requests() == 4);
        device.open();
        futures.forEach(Vectors::get);
        assertThat(device.entered(Step.PLACE)).as("two slices").isEqualTo(2);
        assertThat(stats(0).residentBytes()).isEqualTo(2 * shared.bytes());
        outputs.forEach(output -> assertThat(output.buffer(0, 4).getFloat(0)).isEqualTo(7 + 21));
    }

    @Test
    void shouldFailAllThatWaitForASliceThatCannotBePlaced() {
        GatedDevice device = start(2);
        Vectors shared = new Vectors(session, 1000, 7);
        device.hold(Step.PLACE);
        List<CompletableFuture<Completion>> futures = List.of(shared.submit(),
            session.submit(add(shared.inputs, 0, shared.inputs, shared.bytes(), session.allocate(4000), 0, 1000)));
        Vectors.eventually("both have a lane", () -> stats(0).requests() == 2);
        device.failNext(Step.PLACE);
        device.open();
        futures.forEach(future -> requireFailure(future, ErrorCode.DEVICE_FAILED, "made to fail"));
        shared.run();
        assertThat(stats(0).failures()).isEqualTo(1);
    }

    @Test
    void shouldWaitForMemoryThatOtherLanesUse() {
        GatedDevice device = start(2);
        int floats = MEMORY / 4 / 4; // three slices each: of two requests, one and a third fit
        List<Vectors> all = List.of(new Vectors(session, floats, 1), new Vectors(session, floats, 2),
            new Vectors(session, floats, 3));
        device.hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = submit(all);
        device.awaitInside(Step.RUN, 1);
        Vectors.eventually("all have a lane", () -> engine.stats().queueLength() == 0);
        device.open();
        futures.forEach(Vectors::get);
        all.forEach(Vectors::requireSums);
        assertThat(device.most(Step.RUN)).isEqualTo(1);
    }

    @Test
    void shouldEndEachRequestOnceWhenTheDeviceFailsUnderSeveral() {
        List<GatedDevice> both = start(2, 3, Map.of("coral.scheduler.starvation", "0s"));
        List<Vectors> all = vectors(6);
        both.forEach(device -> device.hold(Step.RUN));
        List<CompletableFuture<Completion>> futures = submit(all);
        AtomicInteger ends = new AtomicInteger();
        futures.forEach(future -> future.whenComplete((completion, problem) -> ends.incrementAndGet()));
        both.forEach(device -> device.awaitInside(Step.RUN, 3));
        both.get(0).failNext(Step.RUN);
        both.get(0).letOne(Step.RUN);
        Vectors.eventually("all of them wait for the other device or run there",
            () -> engine.stats().retries() == 3);
        both.get(0).open();
        Vectors.eventually("it is back", () -> both.get(0).inside(Step.RUN) == 0 && stats(0).healthy());
        both.get(1).open();
        for (CompletableFuture<Completion> future : futures) {
            assertThat(get(future).device()).isEqualTo("xilinx-u250-1");
        }
        all.forEach(Vectors::requireSums);
        // Both are counted when the future has ended, which may have been seen before.
        Vectors.eventually("each is counted", () -> ends.get() >= 6 && engine.stats().requestsDone() >= 6);
        assertThat(ends).hasValue(6);
        assertThat(stats(0).failures()).isEqualTo(1);
        assertThat(engine.stats().requestsDone()).isEqualTo(6);
        assertThat(engine.stats().retries()).isEqualTo(3);
    }

    @Test
    void shouldGiveUpAllRequestsOfADeviceThatHangs() {
        List<GatedDevice> both = start(2, 1, Map.of("coral.device.hang", "50ms", "coral.scheduler.starvation", "0s"));
        List<Vectors> all = vectors(4);
        both.get(0).hold(Step.RUN);
        while (stats(0).requests() == 0) { // as long as the other one was so quick that nothing was left
            submit(all).forEach(future -> assertThat(get(future).device()).isEqualTo("xilinx-u250-1"));
        }
        all.forEach(Vectors::requireSums);
        Vectors.eventually("it is back", () -> stats(0).healthy() && stats(1).healthy());
        assertThat(stats(0).failures()).isEqualTo(1);
        assertThat(stats(1).failures()).isZero();
    }

    /** Who takes what is a race, so that it is run many times. */
    @Test
    void shouldNotCopyToABusyDeviceWhatAFreeOneCouldRun() {
        List<GatedDevice> both = start(2, 1, Map.of("coral.scheduler.starvation", "0s"));
        List<Vectors> all = vectors(2);
        for (int round = 0; round < 50; round++) {
            both.forEach(device -> device.hold(Step.RUN));
            List<CompletableFuture<Completion>> futures = submit(all);
            both.forEach(device -> device.awaitInside(Step.RUN, 1));
            both.forEach(GatedDevice::open);
            futures.forEach(Vectors::get);
        }
    }

    @Test
    void shouldCountAsBusyWhileAnythingIsInFlight() {
        GatedDevice device = start(3);
        device.hold(Step.RUN);
        long started = System.nanoTime();
        List<CompletableFuture<Completion>> futures = submit(vectors(3));
        device.awaitInside(Step.RUN, 3);
        long before = stats(0).busyNanos();
        Vectors.eventually("it counts on", () -> stats(0).busyNanos() > before);
        device.open();
        futures.forEach(Vectors::get);
        assertThat(stats(0).busyNanos()).isBetween(before, System.nanoTime() - started);
    }
}
