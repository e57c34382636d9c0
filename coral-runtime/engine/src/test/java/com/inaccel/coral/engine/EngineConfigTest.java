package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.failure;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

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
        assertThat(refusal.getMessage()).contains("key=" + key, "value=" + value);
    }

    @Test
    void shouldSuggestTheNearestKeyForAnUnknownOne() {
        CoralException refusal = failure(() -> EngineConfig.of(Map.of("coral.memory.limits", "1GB")));
        assertThat(refusal.getMessage()).contains("key=coral.memory.limits", "did you mean coral.memory.limit?");
    }

    @Test
    void shouldPreferPropertiesToTheEnvironment() {
        Properties properties = new Properties();
        properties.setProperty("coral.queue.limit", "7");
        EngineConfig config = EngineConfig.fromEnvironment(
            Map.of("CORAL_QUEUE_LIMIT", "5", "CORAL_MEMORY_LIMIT", "1GB"), properties);
        assertThat(config.count(Key.QUEUE_LIMIT)).isEqualTo(7);
        assertThat(config.bytes(Key.MEMORY_LIMIT)).isEqualTo(1L << 30);
    }

    @Test
    void shouldIgnoreVariablesThatOnlyShareThePrefix() {
        assertThatCode(() -> EngineConfig.fromEnvironment(Map.of("CORAL_SERVICE_HOST", "10.0.0.1",
            "CORAL_PORT_80_TCP", "tcp://10.0.0.1:80", "CORAL_ADDRESS", "embedded:"), new Properties()))
            .doesNotThrowAnyException();
    }

    @Test
    void shouldRefuseMisspeltVariables() {
        CoralException refusal =
            failure(() -> EngineConfig.fromEnvironment(Map.of("CORAL_MEMORY_LIMTI", "1GB"), new Properties()));
        assertThat(refusal.getMessage()).contains("CORAL_MEMORY_LIMTI", "CORAL_MEMORY_LIMIT");
    }

    @ParameterizedTest
    @EnumSource(Key.class)
    void shouldDocumentAndDescribeEveryKey(Key key) {
        assertThat(EngineConfig.markdown()).contains("| `" + key.id() + "` |", key.description());
        assertThat(EngineConfig.defaults().describe()).contains(key.id() + " = " + key.byDefault());
        assertThat(key.variable()).isEqualTo(key.id().toUpperCase(Locale.ROOT).replace('.', '_'));
    }
}
