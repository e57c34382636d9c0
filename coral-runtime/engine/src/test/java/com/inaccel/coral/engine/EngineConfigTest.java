package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.failure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class EngineConfigTest {
    @ParameterizedTest
    @CsvSource({"coral.memory.limit, 64MB, 67108864", "coral.memory.limit, 1gb, 1073741824",
        "coral.memory.limit, 65536, 65536", "coral.memory.pool, 0, 0"})
    void shouldReadBytes(String key, String value, long expected) {
        Key typed = key.equals(Key.MEMORY_POOL.id()) ? Key.MEMORY_POOL : Key.MEMORY_LIMIT;
        assertThat(EngineConfig.of(Map.of(key, value)).bytes(typed)).isEqualTo(expected);
    }

    @Test
    void shouldReadPartsOfTheMachinesMemory() {
        EngineConfig half = EngineConfig.of(Map.of("coral.memory.limit", "50%"));
        EngineConfig all = EngineConfig.of(Map.of("coral.memory.limit", "100%"));
        assertThat(all.bytes(Key.MEMORY_LIMIT)).isPositive();
        assertThat((double) half.bytes(Key.MEMORY_LIMIT) / all.bytes(Key.MEMORY_LIMIT)).isBetween(0.49, 0.51);
    }

    @ParameterizedTest
    @CsvSource({"500ms, 500", "30s, 30000", "2m, 120000", "1h, 3600000"})
    void shouldReadDurations(String value, long millis) {
        EngineConfig config = EngineConfig.of(Map.of("coral.device.hang", value));
        assertThat(config.duration(Key.DEVICE_HANG)).isEqualTo(Duration.ofMillis(millis));
    }

    @ParameterizedTest
    @CsvSource({"coral.devices, gpu", "coral.memory.limit, 64XB", "coral.memory.limit, -1", "coral.memory.limit, 101%",
        "coral.memory.limit, 9999999999999TB", "coral.memory.limit, 1KB", "coral.device.hang, 30",
        "coral.queue.limit, 0", "coral.queue.limit, many", "coral.memory.limit, ''"})
    void shouldRefuseWhatIsOutsideTheRange(String key, String value) {
        CoralException refusal = failure(() -> EngineConfig.of(Map.of(key, value)));
        assertThat(refusal.code()).isEqualTo(ErrorCode.INVALID_ARGUMENT);
        assertThat(refusal.getMessage()).contains("key=" + key, "value=" + value, "range=");
    }

    @Test
    void shouldSuggestTheNearestKeyForAnUnknownOne() {
        CoralException refusal = failure(() -> EngineConfig.of(Map.of("coral.memory.limits", "1GB")));
        assertThat(refusal.getMessage()).contains("key=coral.memory.limits", "did you mean coral.memory.limit?");
    }

    @Test
    void shouldMergeFileEnvironmentPropertiesAndFlagsAndTellTheSourceOfEach(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("coral.properties"), """
            coral.queue.limit = 1
            coral.memory.limit = 1GB
            coral.memory.segments = 11
            coral.memory.pool.idle = 11s
            """);
        Map<String, String> environment = Map.of("CORAL_MEMORY_LIMIT", "2GB", "CORAL_MEMORY_SEGMENTS", "22",
            "CORAL_MEMORY_POOL_IDLE", "22s");
        Properties properties = new Properties();
        properties.setProperty("coral.memory.segments", "33");
        properties.setProperty("coral.memory.pool.idle", "33s");
        EngineConfig config = EngineConfig.load(
            Optional.of(file), environment, properties, Map.of(Key.MEMORY_POOL_IDLE, "44s"));
        assertThat(config.count(Key.QUEUE_LIMIT)).isEqualTo(1);
        assertThat(config.bytes(Key.MEMORY_LIMIT)).isEqualTo(2L << 30);
        assertThat(config.count(Key.MEMORY_SEGMENTS)).isEqualTo(33);
        assertThat(config.duration(Key.MEMORY_POOL_IDLE)).isEqualTo(Duration.ofSeconds(44));
        assertThat(config.describe().lines()).contains("coral.queue.limit = 1 (file)",
            "coral.memory.limit = 2GB (environment)", "coral.memory.segments = 33 (property)",
            "coral.memory.pool.idle = 44s (flag)", "coral.devices = auto (default)", "coral.emulate = (default)")
            .anyMatch(line -> line.matches("coral\\.memory\\.pool = 25% \\(default, [0-9]+ bytes\\)"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"CORAL_SERVICE_HOST", "CORAL_SERVICE_PORT_HTTP", "CORAL_PORT", "CORAL_PORT_80_TCP",
        "CORAL_METRICS_SERVICE_HOST", "CORAL_UI_PORT_443_TCP_ADDR", "CORAL_ADDRESS", "CORAL_INSTALL", "CORAL_RECONNECT", "CORALS"})
    void shouldIgnoreVariablesOfServicesAndOfClients(String variable) {
        assertThat(environment(Map.of(variable, "tcp://10.0.0.1:80")).describe())
            .isEqualTo(EngineConfig.defaults().describe());
    }

    @Test
    void shouldRefuseMisspeltVariables() {
        CoralException refusal = failure(() -> environment(Map.of("CORAL_MEMORY_LIMTI", "1GB")));
        assertThat(refusal.getMessage())
            .contains("key=CORAL_MEMORY_LIMTI", "source=environment", "did you mean CORAL_MEMORY_LIMIT?");
        assertThat(failure(() -> environment(Map.of("CORAL_COLOUR", "red"))).getMessage()).contains("CORAL_COLOUR");
    }

    @Test
    void shouldTellWhichFileCannotBeRead(@TempDir Path directory) {
        Path missing = directory.resolve("missing");
        assertThat(failure(() -> EngineConfig.load(Optional.of(missing), Map.of(), new Properties(), Map.of()))
            .getMessage()).contains("file=" + missing);
    }

    private static EngineConfig environment(Map<String, String> variables) {
        return EngineConfig.load(Optional.empty(), variables, new Properties(), Map.of());
    }

    @ParameterizedTest
    @EnumSource(Key.class)
    void shouldDocumentAndDescribeEveryKey(Key key) {
        assertThat(EngineConfig.markdown()).contains("| `" + key.id() + "` |", key.description());
        assertThat(EngineConfig.defaults().describe()).contains(key.id() + " = " + key.byDefault());
        assertThat(key.flag()).isEqualTo(key.id().replace("coral.", "--").replace('.', '-'));
        assertThat(key.variable()).isEqualTo(key.id().toUpperCase(Locale.ROOT).replace('.', '_'));
    }
}
