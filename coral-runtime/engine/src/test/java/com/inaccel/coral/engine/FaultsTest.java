package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EmulatedDevice.Fault;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Leaks.class)
class FaultsTest {
    private static final long MEMORY = 1 << 20;

    private final List<EmulatedDevice> devices = new ArrayList<>();
    private Engine engine;
    private EngineSession session;

    private void start(int count) {
        start(count, "50ms");
    }

    private void start(int count, String hang) {
        for (int i = 0; i < count; i++) {
            devices.add(new EmulatedDevice("xilinx-u250-" + i, "xilinx", "u250", MEMORY, Duration.ZERO,
                new HostDevice(1L << 30)));
        }
        engine = Engine.start(
            EngineConfig.of(Map.of("coral.device.hang", hang, "coral.device.probe", "1ms")),
            BitstreamStore.builtIn(), List.copyOf(devices), 0);
        session = engine.open(TENANT);
    }

    @AfterEach
    void close() {
        devices.forEach(EmulatedDevice::heal);
        engine.close();
    }

    /** Runs once, so that the other requests go there too. */
    private EmulatedDevice deviceThatServes(Vectors vectors) {
        String id = vectors.run().device();
        return devices.stream().filter(device -> device.info().id().equals(id)).findFirst().orElseThrow();
    }

    private DeviceStats stats(EmulatedDevice device) {
        return engine.stats().devices().get(devices.indexOf(device));
    }

    private void requireDoneElsewhere(Vectors vectors, EmulatedDevice failing, Fault fault) {
        vectors.clearOutput();
        failing.inject(fault);
        Completion completion = Vectors.get(vectors.submit());
        assertThat(completion.device()).isNotEqualTo(failing.info().id());
        vectors.requireSums();
        assertThat(engine.stats().retries()).isEqualTo(1);
        assertThat(engine.stats().requestsFailed()).isZero();
    }

    @Test
    void shouldRunElsewhereAfterAnErrorOfTheDevice() {
        start(2);
        Vectors vectors = new Vectors(session, 1000, 1);
        EmulatedDevice failing = deviceThatServes(vectors);
        requireDoneElsewhere(vectors, failing, Fault.ERROR);
        assertThat(stats(failing).failures()).isEqualTo(1);
        Vectors.eventually("the device is back", () -> stats(failing).healthy());
    }

    @Test
    void shouldRunElsewhereWhenTheDeviceHangs() {
        start(2);
        Vectors vectors = new Vectors(session, 1000, 1);
        EmulatedDevice failing = deviceThatServes(vectors);
        requireDoneElsewhere(vectors, failing, Fault.HANG);
        Vectors.eventually("the device is back", () -> stats(failing).healthy());
        failing.heal();
        vectors.run();
    }

    @Test
    void shouldRunElsewhereWhileTheDeviceIsGoneAndUseItAgainWhenItReturns() {
        start(2);
        Vectors vectors = new Vectors(session, 1000, 1);
        EmulatedDevice failing = deviceThatServes(vectors);
        requireDoneElsewhere(vectors, failing, Fault.VANISH);
        assertThat(stats(failing).healthy()).isFalse();
        assertThat(stats(failing).residentBytes()).isZero();
        vectors.run();
        failing.heal();
        Vectors.eventually("the device is back", () -> stats(failing).healthy());
        devices.stream().filter(device -> device != failing).forEach(device -> device.inject(Fault.VANISH));
        vectors.clearOutput();
        assertThat(Vectors.get(vectors.submit()).device()).isEqualTo(failing.info().id());
        vectors.requireSums();
    }

    @Test
    void shouldFailWhenNoOtherDeviceIsLeft() {
        start(1);
        Vectors vectors = new Vectors(session, 1000, 1);
        devices.get(0).inject(Fault.ERROR);
        requireFailure(vectors.submit(), ErrorCode.DEVICE_FAILED, "device=xilinx-u250-0", "injected error");
        vectors.run();
    }

    @Test
    void shouldFailWhenASecondDeviceFailsToo() {
        start(2);
        Vectors vectors = new Vectors(session, 1000, 1);
        devices.forEach(device -> device.inject(Fault.ERROR));
        requireFailure(vectors.submit(), ErrorCode.DEVICE_FAILED, "xilinx-u250-0", "xilinx-u250-1", "before that");
    }

    @Test
    void shouldFailWhatWaitsAndWhatComesWhileTheOnlyDeviceIsGone() {
        start(1);
        Vectors vectors = new Vectors(session, 1000, 1);
        EmulatedDevice device = devices.get(0);
        device.inject(Fault.VANISH);
        List<CompletableFuture<Completion>> futures = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            futures.add(vectors.submit());
        }
        futures.forEach(future -> requireFailure(future, ErrorCode.DEVICE_FAILED));
        device.heal();
        Vectors.eventually("the device is back", () -> stats(device).healthy());
        vectors.run();
    }

    @Test
    void shouldEvictTheLeastRecentlyUsedAndStillBeRight() {
        start(1);
        int floats = (int) (MEMORY / 4 / 4 / 2); // inputs of a quarter of the memory: three fit beside an output
        List<Vectors> all = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            all.add(new Vectors(session, floats, i));
        }
        for (int round = 0; round < 3; round++) {
            all.forEach(Vectors::run);
        }
        DeviceStats stats = engine.stats().devices().get(0);
        assertThat(stats.evictions()).isGreaterThan(10);
        assertThat(stats.residentBytes()).isBetween(MEMORY / 2, MEMORY);
    }

    @Test
    void shouldCopyResidentSegmentsOnlyOnce() {
        start(1);
        Vectors vectors = new Vectors(session, 50_000, 1);
        vectors.run();
        // Behind the seal: a copy made again would show this.
        vectors.inputs.memory().buffer(0, 4).putFloat(0, 1e9f);
        vectors.run();
        assertThat(engine.stats().devices().get(0).evictions()).isZero();
    }

    @Test
    void shouldRefuseRequestsThatDoNotFitOnTheDevice() {
        start(1);
        Vectors vectors = new Vectors(session, 100_000, 1);
        requireFailure(vectors.submit(), ErrorCode.DEVICE_MEMORY_EXHAUSTED,
            "requestedBytes=1200000", "limitBytes=" + MEMORY);
    }

    @Test
    void shouldUseAnotherDeviceWhileTheReadyOneIsBusy() {
        start(2, "1h");
        Vectors first = new Vectors(session, 1000, 1);
        Vectors second = new Vectors(session, 1000, 2);
        EmulatedDevice busy = deviceThatServes(first);
        busy.inject(Fault.HANG);
        CompletableFuture<Completion> running = first.submit();
        Vectors.eventually("it runs", () -> engine.stats().queueLength() == 0);
        assertThat(second.run().device()).isNotEqualTo(busy.info().id());
        busy.heal();
        assertThat(Vectors.get(running).device()).isEqualTo(busy.info().id());
        assertThat(engine.stats().retries()).isZero();
    }

    @Test
    void shouldCloseWhileADeviceHangs() {
        start(1);
        Vectors vectors = new Vectors(session, 1000, 1);
        devices.get(0).inject(Fault.HANG);
        CompletableFuture<Completion> future = vectors.submit();
        Vectors.eventually("it runs", () -> engine.stats().queueLength() == 0);
        requireFailure(future, ErrorCode.DEVICE_FAILED, "hangs");
        engine.close();
    }
}
