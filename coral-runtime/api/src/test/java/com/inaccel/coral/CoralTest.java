package com.inaccel.coral;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CoralTest {
    @TempDir
    Path directory;

    @Test
    void shouldTakeTheConfiguredAddressThenTheSocketThenTheEmbeddedEngine() throws IOException {
        Path socket = directory.resolve("coral.sock");
        assertThat(Coral.defaultAddress(Map.of(), socket)).isEqualTo("embedded:");
        Files.createFile(socket);
        assertThat(Coral.defaultAddress(Map.of(), socket)).isEqualTo("unix:" + socket);
        assertThat(Coral.defaultAddress(Map.of("CORAL_ADDRESS", " "), socket)).isEqualTo("unix:" + socket);
        assertThat(Coral.defaultAddress(Map.of("CORAL_ADDRESS", " unix:/other "), socket)).isEqualTo("unix:/other");
    }

    @Test
    void shouldTakeTheTimeToReconnectFromTheEnvironment() {
        assertThat(Coral.defaultReconnect(Map.of())).isEqualTo(Duration.ofSeconds(30));
        assertThat(Coral.defaultReconnect(Map.of("CORAL_RECONNECT", " 0s "))).isZero();
        assertThat(Coral.defaultReconnect(Map.of("CORAL_RECONNECT", "250ms"))).isEqualTo(Duration.ofMillis(250));
        assertThat(Coral.defaultReconnect(Map.of("CORAL_RECONNECT", "2m"))).isEqualTo(Duration.ofMinutes(2));
        assertThatThrownBy(() -> Coral.defaultReconnect(Map.of("CORAL_RECONNECT", "30")))
            .isInstanceOf(CoralException.class).hasMessageContaining("CORAL_RECONNECT=30").hasMessageContaining("ms, s, m or h");
        assertThatThrownBy(() -> Coral.open("unix:/nowhere", Duration.ofSeconds(-1)))
            .isInstanceOf(CoralException.class).hasMessageContaining("PT-1S");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "tcp:1.2.3.4", "/run/coral/coral.sock", "embedded:x", "UNIX:/x"})
    void shouldSayWhichAddressesThereAre(String address) {
        assertThatThrownBy(() -> Coral.open(address)).isInstanceOfSatisfying(CoralException.class,
                failure -> assertThat(failure.code()).isEqualTo(ErrorCode.INVALID_ARGUMENT))
            .hasMessageContaining("address=" + address).hasMessageContaining("unix:PATH or embedded:");
    }

    @Test
    void shouldSayWhatIsMissingForTheEmbeddedEngine() {
        assertThatThrownBy(() -> Coral.open("embedded:")).isInstanceOfSatisfying(CoralException.class,
                failure -> assertThat(failure.code()).isEqualTo(ErrorCode.NO_MANAGER))
            .hasMessageContaining("add coral-engine");
    }
}
