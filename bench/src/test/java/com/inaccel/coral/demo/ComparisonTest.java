package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final double[] NUMBERS = {1, -200, 3, 4};

    @Test
    void shouldTellTheGreatestDifferenceAndTheMagnitude() {
        assertThat(Comparison.difference(NUMBERS, new double[] {1, -200, 3, 4.5})).isEqualTo("5.0e-01 of 200");
        assertThat(Comparison.difference(NUMBERS, NUMBERS.clone())).isEqualTo("identical");
    }

    @Test
    void shouldNotCompareDifferentNumbersOfNumbers() {
        assertThat(Comparison.difference(NUMBERS, new double[3])).isEqualTo("4 against 3 numbers");
    }

    @Test
    void shouldNotTakeNotANumberForAgreement() {
        assertThat(Comparison.difference(NUMBERS, new double[] {Double.NaN, -200, 3, 4})).isNotEqualTo("identical");
    }
}
