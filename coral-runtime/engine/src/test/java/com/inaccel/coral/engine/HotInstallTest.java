package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.eventually;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Bitstreams come and go while an engine works; each writes a number of its own. */
@ExtendWith(Leaks.class)
class HotInstallTest {
    private static final String ID = "org.example.Number";
    private static final String TELL = ID + ".Tell";
    private static final String MANIFEST = """
        {
          "name": "tell.cl",
          "bitstreamId": "org.example.Number",
          "version": "VERSION",
          "platform": {"vendor": "xilinx", "name": "u250"},
          "kernels": [{"name": ["tell"], "kernelId": "Tell", "arguments": [
            {"type": "int*", "name": "number", "access": "w"}
          ]}]
        }
        """;

    @TempDir
    Path root;

    private final List<String> heard = new CopyOnWriteArrayList<>();
    private Path repository;
    private EngineConfig config;
    private Engine engine;
    private EngineSession red;
    private EngineSession blue;

    @BeforeEach
    void start() throws IOException {
        OpenClDeviceTest.device(); // skips where there is none
        repository = Files.createDirectories(root.resolve("repository"));
        config = EngineConfig.of(Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "0ms",
            "coral.memory.limit", "1GB", "coral.bitstreams", repository.toString(), "coral.bitstreams.refresh", "10ms"));
        engine = Engine.start(config, new EngineListener() {
            @Override
            public void bitstreamInstalled(BitstreamInfo info) {
                heard.add("installed " + info.version());
            }

            @Override
            public void bitstreamRemoved(BitstreamInfo info) {
                heard.add("removed " + info.version());
            }

            @Override
            public void bitstreamRefused(BitstreamInfo info) {
                heard.add("refused " + info.manifest());
            }
        });
        red = engine.open(new Allocation("red", 1 << 20, 1));
        blue = engine.open(new Allocation("blue", 1 << 20, 1));
    }

    @AfterEach
    void stop() {
        if (engine != null) {
            engine.close();
            engine.close();
        }
    }

    private void install(int number, String... visibleTo) throws IOException {
        Path source = Files.createDirectories(root.resolve("source-" + number));
        Files.writeString(source.resolve(Manifest.FILE_NAME), MANIFEST.replace("VERSION", number + ".0"));
        Files.writeString(source.resolve("tell.cl"), "__kernel void tell(__global int* number) { *number = " + number + "; }");
        new BitstreamAdmin(config).install(source, Optional.empty(), Optional.empty(), Set.of(visibleTo));
        eventually("it is noticed", () -> isUsed(number + ".0"));
    }

    private void remove(int number) {
        new BitstreamAdmin(config).remove(Optional.empty(), ID, Optional.of(number + ".0"));
        eventually("it is noticed", () -> !isUsed(number + ".0"));
    }

    private boolean isUsed(String version) {
        return engine.bitstreams().stream()
            .anyMatch(info -> info.bitstreamId().equals(ID) && info.version().equals(version) && info.isUsed());
    }

    private static CompletableFuture<Completion> submit(EngineSession session, EngineSegment output) {
        return session.submit(Request.of(TELL).write(output, 0, 4).build());
    }

    private static int told(EngineSession session) {
        EngineSegment output = session.allocate(4);
        Vectors.get(submit(session, output));
        return output.buffer(0, 4).getInt(0);
    }

    @Test
    void shouldRunWhatIsInstalledLaterAndTheLatestOfIt() throws IOException {
        requireFailure(submit(red, red.allocate(4)), ErrorCode.UNKNOWN_ACCELERATOR, TELL);
        install(1);
        assertThat(red.accelerators()).contains(TELL);
        assertThat(told(red)).isEqualTo(1);
        install(10);
        install(9);
        assertThat(told(red)).isEqualTo(10);
        remove(10);
        assertThat(told(red)).isEqualTo(9);
        remove(9);
        remove(1);
        assertThat(heard).containsExactly("installed 1.0", "installed 10.0", "installed 9.0", "removed 10.0", "removed 9.0",
            "removed 1.0");
        assertThat(red.accelerators()).doesNotContain(TELL);
        requireFailure(submit(red, red.allocate(4)), ErrorCode.UNKNOWN_ACCELERATOR, TELL);
    }

    @Test
    void shouldEndEveryRequestWhileBitstreamsComeAndGo() throws IOException {
        install(1);
        EngineSegment output = red.allocate(4096);
        List<CompletableFuture<Completion>> requests = new ArrayList<>();
        for (int number = 2; number < 7; number++) {
            for (int i = 0; i < 50; i++) {
                requests.add(submit(red, output));
            }
            install(number);
            remove(number - 1);
        }
        requests.forEach(Vectors::get);
        assertThat(told(red)).isEqualTo(6);
    }

    @Test
    void shouldShowAllocationsOnlyWhatIsForThem() throws IOException {
        install(1);
        install(2, "red");
        assertThat(told(red)).isEqualTo(2);
        assertThat(told(blue)).isEqualTo(1);
        remove(1);
        assertThat(told(red)).isEqualTo(2);
        assertThat(engine.accelerators()).contains(TELL);
        assertThat(red.accelerators()).contains(TELL);
        assertThat(blue.accelerators()).doesNotContain(TELL);
        assertThat(Vectors.failure(submit(blue, blue.allocate(4))).getMessage())
            .startsWith("no device here runs the accelerator: accelerator=" + TELL).doesNotContain(ID + " 2.0");
        assertThat(Vectors.failure(blue.submit(Request.of("org.example.Unknown").build())).getMessage())
            .doesNotContain(ID);
    }

    @Test
    void shouldGoOnWithTheOthersWhenABrokenOneAppears() throws IOException {
        install(1);
        Path broken = Files.createDirectories(repository.resolve("broken"));
        Files.writeString(broken.resolve(Manifest.FILE_NAME), "{");
        eventually("it is noticed", () -> engine.stats().bitstreamsRefused() == 1);
        assertThat(engine.bitstreams()).filteredOn(info -> !info.isUsed()).singleElement()
            .returns(broken.resolve(Manifest.FILE_NAME).toString(), BitstreamInfo::manifest);
        assertThat(heard).containsExactly("installed 1.0", "refused " + broken.resolve(Manifest.FILE_NAME));
        assertThat(told(red)).isEqualTo(1);
        Files.delete(broken.resolve(Manifest.FILE_NAME));
        eventually("it is noticed", () -> engine.stats().bitstreamsRefused() == 0);
    }
}
