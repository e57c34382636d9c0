package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.engine.GatedDevice.Step;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Bitstreams that take turns on one emulated device. Each has two compute units, and writes a number of its own. */
@ExtendWith(Leaks.class)
class ProgrammingTest {
    private static final String MANIFEST = """
        {
          "name": "kernel.cl",
          "bitstreamId": "org.example.NAME",
          "version": "1.0",
          "platform": {"vendor": "xilinx", "name": "*"},
          "kernels": [{"name": ["number:{number_1}", "number:{number_2}"], "kernelId": "Number",
            "arguments": [{"type": "int*", "name": "number", "access": "w"}]}]
        }
        """;

    @TempDir
    Path root;

    private final GatedDevice device = new GatedDevice(new EmulatedDevice("xilinx-u250-0", "xilinx", "u250", 64 << 20,
        Duration.ZERO, new OpenClDevice("cl-0", OpenClDeviceTest.device(), false)));
    private Engine engine;
    private EngineSession session;
    private EngineSegment numbers;
    private int used;

    @BeforeEach
    void install() throws IOException {
        bitstream("One", "*number = 1;");
        bitstream("Two", "*number = 2;");
        bitstream("Broken", "*number = none;");
    }

    private void bitstream(String name, String code) throws IOException {
        Path home = Files.createDirectories(root.resolve(name));
        Files.writeString(home.resolve(Manifest.FILE_NAME), MANIFEST.replace("NAME", name));
        Files.writeString(home.resolve("kernel.cl"), "__kernel void number(__global int* number) { " + code + " }");
    }

    private void start(Map<String, String> config) {
        engine = Engine.start(EngineConfig.of(config), Vectors.bitstreams(root), List.of(device), 0);
        session = engine.open(TENANT);
        numbers = session.allocate(4096);
    }

    @AfterEach
    void close() {
        device.open();
        if (engine != null) {
            engine.close();
        } else {
            device.close();
        }
    }

    private CompletableFuture<Completion> submit(String name) {
        return session.submit(Request.of("org.example." + name + ".Number").write(numbers, 4L * used++, 4).build());
    }

    private DeviceStats stats() {
        return engine.stats().devices().get(0);
    }

    private void requireNumbers(int... expected) {
        for (int i = 0; i < expected.length; i++) {
            assertThat(numbers.buffer(0, 4096).getInt(4 * i)).as("number " + i).isEqualTo(expected[i]);
        }
    }

    @Test
    void shouldRunOnAllComputeUnitsThatTheBitstreamHas() {
        start(Map.of());
        device.hold(Step.RUN);
        List<CompletableFuture<Completion>> futures = Stream.of("One", "One", "One", "One").map(this::submit).toList();
        device.awaitInside(Step.RUN, 2);
        Vectors.eventually("one more is copied", () -> device.entered(Step.COPY_IN) == 3);
        device.open();
        futures.forEach(Vectors::get);
        requireNumbers(1, 1, 1, 1);
        assertThat(device.most(Step.RUN)).isEqualTo(2);
    }

    @Test
    void shouldWaitWithProgrammingForWhatRuns() {
        start(Map.of("coral.scheduler.starvation", "0s"));
        device.hold(Step.RUN);
        CompletableFuture<Completion> first = submit("One");
        device.awaitInside(Step.RUN, 1);
        CompletableFuture<Completion> second = submit("Two");
        Vectors.eventually("it has a lane", () -> stats().requests() == 2);
        CompletableFuture<Completion> third = submit("One");
        Vectors.eventually("it has a lane", () -> stats().requests() == 3);
        assertThat(device.entered(Step.PROGRAM)).isEqualTo(1);
        device.letOne(Step.RUN);
        Vectors.get(first);
        Vectors.eventually("the second runs", () -> device.entered(Step.RUN) == 2);
        assertThat(device.entered(Step.PROGRAM)).isEqualTo(2);
        assertThat(device.inside(Step.PROGRAM)).isZero();
        device.open();
        Vectors.get(second);
        Vectors.get(third);
        requireNumbers(1, 2, 1);
        assertThat(stats().programmings()).isEqualTo(3);
        assertThat(device.most(Step.RUN)).isEqualTo(1);
    }

    @Test
    void shouldServeAllThatWantTheNextBitstreamTogether() {
        start(Map.of());
        device.hold(Step.RUN);
        CompletableFuture<Completion> first = submit("One");
        device.awaitInside(Step.RUN, 1);
        List<CompletableFuture<Completion>> others = Stream.of("Two", "Two").map(this::submit).toList();
        Vectors.eventually("they have lanes", () -> stats().requests() == 3);
        device.letOne(Step.RUN);
        Vectors.get(first);
        device.awaitInside(Step.RUN, 2);
        device.open();
        others.forEach(Vectors::get);
        requireNumbers(1, 2, 2);
        assertThat(stats().programmings()).isEqualTo(2);
    }

    @Test
    void shouldGoOnAfterABitstreamThatCannotBeProgrammed() {
        start(Map.of());
        device.hold(Step.PROGRAM);
        CompletableFuture<Completion> first = submit("Broken");
        device.awaitInside(Step.PROGRAM, 1);
        CompletableFuture<Completion> second = submit("Broken");
        Vectors.eventually("it has a lane", () -> stats().requests() == 2);
        CompletableFuture<Completion> third = submit("One");
        device.open();
        requireFailure(first, ErrorCode.BAD_BITSTREAM, "none");
        requireFailure(second, ErrorCode.BAD_BITSTREAM, "none");
        Vectors.get(third);
        assertThat(stats().programmings()).isEqualTo(1);
        assertThat(stats().healthy()).isTrue();
    }
}
