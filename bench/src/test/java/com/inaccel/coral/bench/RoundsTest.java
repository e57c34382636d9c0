package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RoundsTest {
    private static final Workload WORKLOAD = new Workload(500, 2, 2, 3, 1, "random");
    private static final double[][] CENTERS = {{1, 0}, {-1, 0}};
    private static final double[][] FAR = {{100, 0}, {-100, 0}};

    @Test
    void shouldCompareWithTheFirstContestantOfTheSameRound() {
        Rounds rounds = Rounds.run(WORKLOAD,
            List.of(new Scripted("a", CENTERS, 1, 2, 4), new Scripted("b", CENTERS, 3, 10, 8)), 3);

        assertThat(rounds.ratios(rounds.entries().get(0))).containsExactly(1, 1, 1);
        assertThat(rounds.ratios(rounds.entries().get(1))).containsExactly(3, 5, 2);
        assertThat(rounds.wrong()).isEmpty();
        assertThat(rounds.table().toString()).containsPattern("b +3.000 +8.000 +10.000 +2.00 +3.00 +5.00");
    }

    @Test
    void shouldNameWhoeverWasFastButWrong() {
        Rounds rounds = Rounds.run(WORKLOAD, List.of(new Scripted("a", CENTERS, 1), new Scripted("b", FAR, 0.1)), 1);

        assertThat(rounds.wrong()).containsExactly("b");
    }

    @Test
    void shouldNameWhoeverAnswersNotANumber() {
        double[][] broken = {{Double.NaN, 0}, {Double.NaN, 0}};

        Rounds rounds = Rounds.run(WORKLOAD, List.of(new Scripted("a", CENTERS, 1), new Scripted("b", broken, 1)), 1);

        assertThat(rounds.wrong()).containsExactly("b");
    }

    @Test
    void shouldTakeTheMiddleOrTheMeanOfTheTwoInTheMiddle() {
        assertThat(Rounds.median(new double[] {9, 1, 2})).isEqualTo(2);
        assertThat(Rounds.median(new double[] {4, 1, 2, 9})).isEqualTo(3);
    }

    /** Takes as long as it is told to, in its own words. */
    private static final class Scripted implements Contestant {
        private final String name;
        private final double[][] centers;
        private final Iterator<Double> seconds;

        Scripted(String name, double[][] centers, double... seconds) {
            this.name = name;
            this.centers = centers;
            this.seconds = java.util.Arrays.stream(seconds).iterator();
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Map<String, String> about() {
            return Map.of();
        }

        @Override
        public Outcome fit() {
            return new Outcome(seconds.next(), 3, centers, Map.of());
        }

        @Override
        public void close() { }
    }
}
