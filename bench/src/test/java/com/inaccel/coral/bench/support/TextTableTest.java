package com.inaccel.coral.bench.support;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class TextTableTest {
    @Test
    void shouldAlignTheFirstColumnLeftAndTheOthersRight() {
        TextTable table = new TextTable("", "s", "ratio").row("coral", "0.5", "1").row("é", "12.25", "");

        assertThat(table).hasToString("""
                       s  ratio
            -------------------
            coral    0.5      1
            é      12.25
            """);
    }

    @Test
    void shouldRefuseARowOfAnotherWidth() {
        assertThatThrownBy(() -> new TextTable("a", "b").row("1")).isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("cells=1, columns=2");
    }
}
