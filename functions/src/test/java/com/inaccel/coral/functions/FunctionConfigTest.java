package com.inaccel.coral.functions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.functions.FunctionConfig.Key;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FunctionConfigTest {
    @Test
    void shouldTakeWhatIsSetAndDefaultsForTheRest() {
        FunctionConfig config = FunctionConfig.of(Map.of("PORT", "9000", "FUNCTION_BODY_LIMIT", "3MB", "FUNCTION_TIMEOUT", "1500ms"));

        assertThat(config.count(Key.PORT)).isEqualTo(9000);
        assertThat(config.bytes(Key.BODY_LIMIT)).isEqualTo(3 << 20);
        assertThat(config.duration(Key.TIMEOUT)).isEqualTo(Duration.ofMillis(1500));
        assertThat(config.text(Key.OUTPUT_PREFIX)).isEqualTo("processed/");
    }

    @Test
    void shouldTakeKubelessVariablesBelowItsOwn() {
        Map<String, String> kubeless = Map.of("FUNC_PORT", "8081", "FUNC_TIMEOUT", "180", "MOD_NAME", "A", "FUNC_HANDLER", "b");

        assertThat(FunctionConfig.of(kubeless).duration(Key.TIMEOUT)).isEqualTo(Duration.ofMinutes(3));
        assertThat(FunctionConfig.of(kubeless).text(Key.HANDLER)).isEqualTo("A.b");
        assertThat(FunctionConfig.of(kubeless).count(Key.PORT)).isEqualTo(8081);
    }

    @ParameterizedTest
    @CsvSource({"FUNCTION_TIMEOT,1s", "FUNCTION_TIMEOUT,soon", "FUNCTION_TIMEOUT,0ms", "FUNCTION_CONCURRENCY,0",
        "FUNCTION_CONCURRENCY,-1", "FUNCTION_BODY_LIMIT,5XB", "PORT,65536", "FUNCTION_S3_PATH_STYLE,maybe"})
    void shouldNameWhatItDoesNotUnderstand(String name, String value) {
        assertThatThrownBy(() -> FunctionConfig.of(Map.of(name, value))).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining(name);
    }

    @Test
    void shouldOverlookWhatKubernetesAddsForServices() {
        assertThat(FunctionConfig.of(Map.of("FUNCTION_PORT", "tcp://10.0.0.1:80", "FUNCTION_SERVICE_HOST", "10.0.0.1")).text(
            Key.FORMAT)).isEqualTo("keep");
    }

    @Test
    void shouldBeDocumented() throws Exception {
        assertThat(Files.readString(Path.of(System.getProperty("basedir"), "..", "docs", "functions.md")))
            .as("docs/functions.md; paste what is expected here").contains(FunctionConfig.markdown());
    }
}
