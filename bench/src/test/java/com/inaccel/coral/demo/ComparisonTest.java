package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class ComparisonTest {
    private static final List<double[]> CENTERS = List.of(new double[] {1, -200}, new double[] {3, 4});

    @Test
    void shouldCallEqualCentersEqual() {
        assertThat(Comparison.centerDifference(CENTERS, CENTERS)).isEqualTo("none");
    }

    @Test
    void shouldGiveTheGreatestDifferenceAndTheMagnitude() {
        List<double[]> others = List.of(new double[] {1, -200.5}, new double[] {3.25, 4});

        assertThat(Comparison.centerDifference(CENTERS, others)).isEqualTo("5.0e-01 of 200");
    }

    @Test
    void shouldNotCompareDifferentNumbersOfCenters() {
        assertThat(Comparison.centerDifference(CENTERS, CENTERS.subList(0, 1))).isEqualTo("2 against 1 centers");
    }

    @Test
    void shouldNotTakeNotANumberForAgreement() {
        List<double[]> broken = List.of(new double[] {Double.NaN, -200}, new double[] {3, 4});

        assertThat(Comparison.centerDifference(CENTERS, broken)).isNotEqualTo("none");
    }
}
