package com.inaccel.coral.functions;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.functions.Http.Reply;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A function whose accelerator no bitstream offers, until somebody installs one. */
@Timeout(120)
class OwnAcceleratorTest {
    private static final Map<String, String> ENGINE = Map.of("coral.devices", "auto", "coral.emulate", "xilinx/u250:1",
        "coral.emulate.programming", "0ms", "coral.bitstreams.refresh", "10ms");
    private static final byte[] BODY = {1, 2, 3};

    @TempDir
    private Path directory;

    private Path repository;
    private FunctionHost host;

    @BeforeEach
    void start() throws Exception {
        repository = Files.createDirectory(directory.resolve("bitstreams"));
        ENGINE.forEach(System::setProperty);
        System.setProperty("coral.bitstreams", repository.toString());
        host = FunctionHost.start(FunctionConfig.of(Map.of("PORT", "0", "FUNCTION_LINGER", "0s", "FUNCTION_HANDLER",
            OwnAccelerator.class.getName())), "embedded:");
    }

    @AfterEach
    void stop() {
        host.close();
        ENGINE.keySet().forEach(System::clearProperty);
        System.clearProperty("coral.bitstreams");
        System.setProperty("coral.devices", "host"); // as the build has it for all tests here
    }

    @Test
    void shouldSayWhatNoBitstreamOffersAndGoOnWhenOneDoes() throws Exception {
        Reply refused = Http.post(host.address(), "/", BODY);
        assertThat(refused.status()).as(refused.text()).isEqualTo(501);
        assertThat(refused.header("Coral-Problem")).isEqualTo("NO_ACCELERATOR");
        assertThat(refused.text()).contains("\"NO_ACCELERATOR\"", "accelerator=" + OwnAccelerator.NAME, "xilinx/u250",
            "install a bitstream");
        assertThat(calls("NO_ACCELERATOR")).isEqualTo(1);
        Reply probe = Http.get(host.address(), "/readyz");
        assertThat(probe.status()).isEqualTo(503);
        assertThat(probe.text()).contains("missing=[" + OwnAccelerator.NAME + "]", "bitstream install");
        assertThat(Http.get(host.address(), "/healthz").status()).as("another process would not help").isEqualTo(200);

        OwnAccelerator.install(repository);
        while (probe.status() != 200) {
            probe = Http.get(host.address(), "/readyz");
        }
        assertThat(Http.post(host.address(), "/", BODY).bytes()).containsExactly(2, 4, 6);
        assertThat(calls("ok")).isEqualTo(1);

        Reply misfit = Http.post(host.address(), "/long", BODY);
        assertThat(misfit.status()).isEqualTo(400);
        assertThat(misfit.text()).contains("\"BAD_REQUEST\"", "accelerator=" + OwnAccelerator.NAME,
            "parameter=count, given=Long, expected=INT");
        assertThat(calls("BAD_REQUEST")).isEqualTo(1);
    }

    private double calls(String outcome) throws Exception {
        String start = "coral_function_calls_total{outcome=\"" + outcome + "\"}";
        return Http.get(host.address(), "/metrics").text().lines().filter(line -> line.startsWith(start))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ')))).sum();
    }
}
