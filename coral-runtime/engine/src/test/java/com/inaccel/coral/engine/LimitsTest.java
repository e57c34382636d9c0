package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Bitstreams that support so many classes and features only; each writes a number of its own. */
@ExtendWith(Leaks.class)
class LimitsTest {
    private static final String FIT = "org.example.Tree.Fit";
    private static final String MANIFEST = """
        {
          "name": "fit.cl",
          "bitstreamId": "org.example.Tree",
          "version": "VERSION",
          "platform": {"vendor": "VENDOR", "name": "*"},
          "kernels": [{"name": ["fit"], "kernelId": "Fit", "arguments": [
            {"type": "int*", "name": "number", "access": "w"},
            {"type": "int", "name": "classes"CLASSES},
            {"type": "long", "name": "features"FEATURES}
          ]}]
        }
        """;

    @TempDir
    Path root;

    private final OpenCl.Found found = OpenClDeviceTest.device();
    private final List<String> vendors = new ArrayList<>(List.of("xilinx"));
    private Engine engine;
    private EngineSession session;
    private EngineSegment output;

    @BeforeEach
    void install() throws IOException {
        bitstream(1, "xilinx", "1.0", ", \"max\": 20", ", \"max\": 1000");
        bitstream(2, "xilinx", "2.0", ", \"max\": 10", "");
        bitstream(3, "intel", "1.0", ", \"max\": 50", ", \"max\": 100");
    }

    @AfterEach
    void close() {
        if (engine != null) {
            engine.close();
        }
    }

    private void bitstream(int number, String vendor, String version, String classes, String features)
            throws IOException {
        Path home = Files.createDirectories(root.resolve("bitstream-" + number));
        Files.writeString(home.resolve(Manifest.FILE_NAME), MANIFEST.replace("VENDOR", vendor)
            .replace("VERSION", version).replace("CLASSES", classes).replace("FEATURES", features));
        Files.writeString(home.resolve("fit.cl"),
            "__kernel void fit(__global int* number, int classes, long features) { *number = " + number + "; }");
    }

    private void start() {
        List<Device> devices = new ArrayList<>();
        for (String vendor : vendors) {
            devices.add(new EmulatedDevice(vendor, vendor, "card", 64 << 20, Duration.ZERO,
                new OpenClDevice("cl-" + vendor, found, false)));
        }
        engine = Engine.start(EngineConfig.defaults(), Vectors.bitstreams(root), devices, 0);
        session = engine.open(TENANT);
        output = session.allocate(4);
    }

    private Request request(int classes, long features) {
        return Request.of(FIT).write(output, 0, 4).arg(classes).arg(features).build();
    }

    private int ranOn(int classes, long features) {
        Vectors.get(session.submit(request(classes, features)));
        return output.buffer(0, 4).getInt(0);
    }

    @Test
    void shouldTakeTheLatestBitstreamThatSupportsTheRequest() {
        start();
        assertThat(ranOn(10, 5000)).isEqualTo(2);
        assertThat(ranOn(11, 1000)).isEqualTo(1);
        assertThat(ranOn(20, 1)).isEqualTo(1);
        assertThat(ranOn(1, 1)).isEqualTo(2);
    }

    @Test
    void shouldGoToAnotherDeviceThatSupportsTheRequest() {
        vendors.add("intel");
        start();
        assertThat(ranOn(50, 100)).isEqualTo(3);
        assertThat(ranOn(20, 1000)).isEqualTo(1);
    }

    @Test
    void shouldNameTheGreatestLimitWhenNoDeviceSupportsTheRequest() {
        start();
        requireFailure(session.submit(request(21, 1)), ErrorCode.INVALID_ARGUMENT, "more than any device here supports",
            "accelerator=" + FIT, "parameter=classes, value=21, limit=20", "install a bitstream with a higher one");
        requireFailure(session.submit(request(Integer.MAX_VALUE, Long.MAX_VALUE)), ErrorCode.INVALID_ARGUMENT,
            "parameter=classes, value=2147483647, limit=20");
    }

    @Test
    void shouldNameAllLimitsWhenOnlyTheCombinationIsTooMuch() {
        start();
        requireFailure(session.submit(request(11, 1001)), ErrorCode.INVALID_ARGUMENT, "supports together",
            "classes=11, classesLimits=[10, 20]", "features=1001, featuresLimits=[none, 1000]");
    }
}
