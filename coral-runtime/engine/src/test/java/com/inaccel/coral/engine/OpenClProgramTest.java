package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Bitstreams that users install, on a real OpenCL driver. */
@ExtendWith(Leaks.class)
class OpenClProgramTest {
    private static final String SCALE = "org.example.Vector.Scale";
    private static final String MANIFEST = """
        {
          "name": "FILE",
          "bitstreamId": "org.example.Vector",
          "version": "1.0",
          "platform": {"vendor": "VENDOR", "name": "PLATFORM"},
          "kernels": [{"name": ["scale"], "kernelId": "Scale", "arguments": [
            {"type": "float*", "name": "x", "access": "r"},
            {"type": "double*", "name": "y", "access": "w"},
            {"type": "double", "name": "factor"},
            {"type": "long", "name": "n"},
            {"type": "float", "name": "offset"}
          ]}]
        }
        """;
    private static final String SOURCE = """
        __kernel void scale(__global const float* x, __global double* y, double factor, long n, float offset) {
            for (long i = 0; i < n; i++) { y[i] = x[i] * factor + offset; }
        }
        """;

    @TempDir
    Path root;

    private final OpenCl.Found found = OpenClDeviceTest.device();

    private Path install(String directory, String file, byte[] content) throws IOException {
        Path home = Files.createDirectories(root.resolve(directory));
        Files.writeString(home.resolve(Manifest.FILE_NAME), MANIFEST.replace("FILE", file)
            .replace("VENDOR", found.vendor()).replace("PLATFORM", found.platform()));
        Files.write(home.resolve(file), content);
        return home;
    }

    private Engine start(Path home) {
        return Engine.start(EngineConfig.defaults(), Vectors.bitstreams(home),
            List.of(new OpenClDevice("cl-0", found, false)), 0);
    }

    private static void requireScaled(Engine engine) {
        try (EngineSession session = engine.open(TENANT)) {
            EngineSegment x = session.allocate(4096);
            EngineSegment y = session.allocate(4096);
            for (int i = 0; i < 500; i++) {
                x.buffer(0, 4096).putFloat(4 * i, i);
            }
            Vectors.get(session.submit(request(x, y)));
            for (int i = 0; i < 500; i++) {
                assertThat(y.buffer(0, 4096).getDouble(8 * i)).isEqualTo(i * 0.5 + 3);
            }
        }
    }

    private static Request request(EngineSegment x, EngineSegment y) {
        return Request.of(SCALE).read(x, 0, 2000).write(y, 0, 4000).arg(0.5).arg(500L).arg(3f).build();
    }

    @Test
    void shouldRunAUsersKernelFromSource() throws IOException {
        try (Engine engine = start(install("source", "scale.cl", SOURCE.getBytes(UTF_8)))) {
            assertThat(engine.accelerators()).contains(SCALE);
            requireScaled(engine);
        }
    }

    @Test
    void shouldRunTheSameFromTheDriversBinary() throws IOException {
        Path source = install("source", "scale.cl", SOURCE.getBytes(UTF_8));
        Bitstream bitstream = Vectors.bitstreams(source).implementing(SCALE, any -> true).get(0);
        byte[] binary;
        try (OpenClDevice device = new OpenClDevice("cl-0", found, false)) {
            device.program(bitstream);
            binary = device.binary(bitstream);
        }
        try (Engine engine = start(install("binary", "scale.bin", binary))) {
            requireScaled(engine);
        }
    }

    @Test
    void shouldShowTheCompilersLog() throws IOException {
        byte[] broken = SOURCE.replace("factor +", "factr +").getBytes(UTF_8);
        try (Engine engine = start(install("broken", "scale.cl", broken)); EngineSession session = engine.open(TENANT)) {
            EngineSegment x = session.allocate(4096);
            requireFailure(session.submit(request(x, session.allocate(4096))), ErrorCode.BAD_BITSTREAM,
                "does not build", "factr", Manifest.FILE_NAME);
            try (Vectors vectors = new Vectors(session, 10, 1)) {
                vectors.run();
            }
        }
    }

    @Test
    void shouldRefuseABinaryThatIsNone() throws IOException {
        try (Engine engine = start(install("garbage", "scale.bin", new byte[] {1, 2, 3, 4, 5, 6, 7, 8}));
                EngineSession session = engine.open(TENANT)) {
            EngineSegment x = session.allocate(4096);
            requireFailure(session.submit(request(x, session.allocate(4096))), ErrorCode.BAD_BITSTREAM, "bytes=8");
        }
    }

    @Test
    void shouldRefuseAKernelThatIsMissingOrTakesOtherArguments() throws IOException {
        for (String wrong : List.of(SOURCE.replace("void scale", "void scala"), SOURCE.replace(", float offset", "")
                .replace("+ offset", ""))) {
            try (Engine engine = start(install("wrong", "scale.cl", wrong.getBytes(UTF_8)));
                    EngineSession session = engine.open(TENANT)) {
                EngineSegment x = session.allocate(4096);
                requireFailure(session.submit(request(x, session.allocate(4096))), ErrorCode.BAD_BITSTREAM,
                    "kernel=scale");
            }
        }
    }

    @Test
    void shouldBuildEveryBuiltInBitstream() {
        try (OpenClDevice device = new OpenClDevice("cl-0", found, false)) {
            for (Bitstream bitstream : BitstreamStore.builtIn().all()) {
                device.program(bitstream);
                assertThat(device.binary(bitstream)).as(bitstream.origin()).isNotEmpty();
            }
        }
    }

    @Test
    void shouldOfferNoBitstreamOfAnotherPlatform() throws IOException {
        Path home = install("source", "scale.cl", SOURCE.getBytes(UTF_8));
        Path manifest = home.resolve(Manifest.FILE_NAME);
        Files.writeString(manifest, Files.readString(manifest).replace(found.vendor(), "xilinx"));
        try (Engine engine = start(home)) {
            assertThat(engine.accelerators()).doesNotContain(SCALE).contains(Vectors.ADD);
        }
    }
}
