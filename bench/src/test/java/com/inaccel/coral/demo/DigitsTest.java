package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DigitsTest {
    @Test
    void shouldReadTenThousandDigitsWithTheKnownNumberOfEach() throws IOException {
        Digits digits = Digits.read();

        int[] histogram = new int[10];
        IntStream.range(0, digits.count()).forEach(digit -> histogram[digits.label(digit)]++);

        assertThat(digits.count()).isEqualTo(10_000);
        assertThat(histogram).containsExactly(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009);
    }

    @Test
    void shouldReadPixelsRowByRowWithoutSign() {
        Digits digits = Digits.shared();

        // The first test digit is a seven: a bright bar along its top, dark below the bar on the left.
        assertThat(digits.label(0)).isEqualTo(7);
        assertThat(digits.pixel(0, 8, 8)).isGreaterThan(128);
        assertThat(digits.pixel(0, 20, 6)).isZero();
        assertThat(Arrays.stream(digits.shifted(0, 0, 0)).max()).hasValue(255);
    }

    @Test
    void shouldMoveTheImageAndFillWithBlack() {
        Digits digits = Digits.shared();
        double[] moved = digits.shifted(3, 1, -2);

        for (int row = 0; row < Digits.SIDE; row++) {
            for (int column = 0; column < Digits.SIDE; column++) {
                assertThat(moved[row * Digits.SIDE + column]).isEqualTo(digits.pixel(3, row - 1, column + 2));
            }
        }
        assertThat(Arrays.stream(moved, 0, Digits.SIDE)).containsOnly(0.0);
    }
}
