package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PaceTest {
    private static final long SECOND = 1_000_000_000;

    private long now = Long.MAX_VALUE - SECOND; // overflows on the way
    private final Pace pace = new Pace(100, () -> now);

    @Test
    void shouldLetASecondsWorthThroughAtOnceAndThenSoManyASecond() {
        for (int i = 0; i < 100; i++) {
            assertThat(pace.take()).isNotPositive();
        }
        for (int i = 1; i <= 250; i++) {
            assertThat(pace.take()).isEqualTo(i * SECOND / 100);
        }
        now += 5 * SECOND / 2; // the last of them has had its turn
        assertThat(pace.take()).isEqualTo(SECOND / 100);
    }

    @Test
    void shouldSaveUpNoMoreThanASecond() {
        now += 1_000 * SECOND;
        for (int i = 0; i < 100; i++) {
            assertThat(pace.take()).isNotPositive();
        }
        assertThat(pace.take()).isPositive();
    }
}
