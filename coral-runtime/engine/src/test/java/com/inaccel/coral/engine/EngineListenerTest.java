package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.ADD;
import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.engine.EmulatedDevice.Fault;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Leaks.class)
class EngineListenerTest {
    private final EmulatedDevice device =
        new EmulatedDevice("xilinx-u250-0", "xilinx", "u250", 1 << 20, Duration.ZERO, new HostDevice(1L << 30));
    private final Heard heard = new Heard();
    private Engine engine;
    private EngineSession session;

    /** What was heard, one line each. */
    private static final class Heard implements EngineListener {
        private final List<String> lines = new CopyOnWriteArrayList<>();

        @Override
        public void requestDone(Allocation allocation, String accelerator, Completion completion) {
            lines.add("done " + allocation.name() + " " + accelerator + " " + completion.device());
        }

        @Override
        public void requestFailed(Allocation allocation, String accelerator, ErrorCode code, String message) {
            lines.add("failed " + allocation.name() + " " + accelerator + " " + code);
        }

        @Override
        public void programmed(DeviceInfo info, String bitstream, long nanos) {
            lines.add("programmed " + info.id());
        }

        @Override
        public void deviceFailed(DeviceInfo info, String problem) {
            lines.add("device failed " + info.id());
        }

        @Override
        public void deviceHung(DeviceInfo info, String problem) {
            lines.add("device hung " + info.id());
        }

        @Override
        public void deviceBack(DeviceInfo info) {
            lines.add("device back " + info.id());
        }

        void await(String line) {
            Vectors.eventually("heard: " + line, () -> lines.contains(line));
        }
    }

    private void start(String hang) {
        engine = Engine.start(EngineConfig.of(Map.of("coral.device.hang", hang, "coral.device.probe", "1ms")),
            BitstreamStore.builtIn(), List.of(device), 0, heard);
        session = engine.open(TENANT);
    }

    @AfterEach
    void close() {
        device.heal();
        engine.close();
    }

    @Test
    void shouldTellOfRequestsThatAreDoneOnceEach() {
        start("1m");
        Vectors vectors = new Vectors(session, 10, 1);
        vectors.run();
        vectors.run();
        String done = "done tenant " + ADD + " xilinx-u250-0";
        Vectors.eventually("both are heard", () -> heard.lines.size() >= 3);
        assertThat(heard.lines).containsExactlyInAnyOrder("programmed xilinx-u250-0", done, done);
    }

    @Test
    void shouldTellWhyRequestsFailedAndNoNamesThatClientsInvent() {
        start("1m");
        requireFailure(session.submit(Request.of("com.example.Nothing").build()), ErrorCode.UNKNOWN_ACCELERATOR);
        requireFailure(session.submit(Request.of(ADD).build()), ErrorCode.INVALID_ARGUMENT);
        requireFailure(session.submit(new Vectors(session, 10, 1).request().timeout(Duration.ZERO).build()),
            ErrorCode.DEADLINE_EXCEEDED);
        session.close();
        requireFailure(session.submit(Request.of("com.example.Nothing").build()), ErrorCode.SESSION_CLOSED);
        assertThat(heard.lines).containsExactly("failed tenant  UNKNOWN_ACCELERATOR",
            "failed tenant " + ADD + " INVALID_ARGUMENT", "failed tenant " + ADD + " DEADLINE_EXCEEDED",
            "failed tenant  SESSION_CLOSED");
    }

    @Test
    void shouldTellOfADeviceThatFailsAndComesBack() {
        start("1m");
        device.inject(Fault.ERROR);
        requireFailure(new Vectors(session, 10, 1).submit(), ErrorCode.DEVICE_FAILED);
        heard.await("failed tenant " + ADD + " DEVICE_FAILED");
        assertThat(heard.lines).containsSubsequence("device failed xilinx-u250-0", "device back xilinx-u250-0");
    }

    @Test
    void shouldTellOfADeviceThatHangsAndOfWhatWasCancelled() {
        start("50ms");
        device.inject(Fault.HANG);
        CompletableFuture<Completion> cancelled = new Vectors(session, 10, 1).submit();
        Vectors.eventually("the device is busy", () -> engine.stats().queueLength() == 0);
        cancelled.cancel(true);
        heard.await("failed tenant " + ADD + " CANCELLED");
        heard.await("device hung xilinx-u250-0");
        heard.await("device back xilinx-u250-0");
    }

    @Test
    void shouldCountWhatEachAllocationHoldsAndWaitsFor() {
        start("1m");
        device.inject(Fault.HANG);
        Allocation other = new Allocation("other", 1L << 20, 2);
        try (EngineSession second = engine.open(other)) {
            Vectors first = new Vectors(session, 10, 1);
            first.submit();
            Vectors.eventually("the device is busy", () -> engine.stats().queueLength() == 0);
            first.submit();
            first.submit();
            assertThat(engine.stats().allocations()).containsExactly(
                new AllocationStats(other, 1, 0, 0, 0, 0), new AllocationStats(TENANT, 1, 2, 2, 8192, 0));
            assertThat(engine.stats().devices().get(0).running()).isPositive();
            device.heal();
        }
        Vectors.eventually("nothing runs", () -> engine.stats().devices().get(0).running() == 0);
        Vectors.eventually("the other has gone", () -> engine.stats().allocations().size() == 1);
    }
}
