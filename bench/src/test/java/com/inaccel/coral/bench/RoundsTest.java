package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.bench.Contestant.Order;
import com.inaccel.coral.bench.Rounds.Column;
import com.inaccel.coral.bench.Rounds.Judge;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RoundsTest {
    private static final Judge JUDGE = new Judge((model, index) -> model[0] + index, 0.01);
    private static final Order ONE = new Order(3, 1);
    private static final double[][] GOOD = {{5}};
    private static final double[][] ALMOST = {{5.04}};
    private static final double[][] BAD = {{5.1}};

    @Test
    void shouldCompareWithTheFirstContestantOfTheSameRound() {
        Rounds rounds = Rounds.run(JUDGE,
            List.of(new Scripted("a", GOOD, 1, 2, 4), new Scripted("b", ALMOST, 3, 10, 8)), ONE, 3);

        assertThat(rounds.ratios(rounds.entries().get(0))).containsExactly(1, 1, 1);
        assertThat(rounds.ratios(rounds.entries().get(1))).containsExactly(3, 5, 2);
        assertThat(rounds.wrong()).isEmpty();
        assertThat(rounds.table(List.of(new Column("first", entry -> "of " + entry.objectives[0]))).toString())
            .containsPattern("b +3.000 +8.000 +10.000 +2.00 +3.00 +5.00 +3 +of 5.04");
    }

    @Test
    void shouldNameWhoeverWasFastButWrong() {
        Rounds rounds = Rounds.run(JUDGE, List.of(new Scripted("a", GOOD, 1), new Scripted("b", BAD, 0.1)), ONE, 1);

        assertThat(rounds.wrong()).containsExactly("b");
    }

    @Test
    void shouldNameWhoeverAnswersNotANumber() {
        double[][] broken = {{Double.NaN}};

        Rounds rounds = Rounds.run(JUDGE, List.of(new Scripted("a", GOOD, 1), new Scripted("b", broken, 1)), ONE, 1);

        assertThat(rounds.wrong()).containsExactly("b");
    }

    @Test
    void shouldCompareTheModelsOfAGridOneByOne() {
        double[][] secondIsBad = {{5}, {7}};
        double[][] good = {{5}, {5}};

        Rounds rounds = Rounds.run(JUDGE, List.of(new Scripted("one", GOOD, 1), new Scripted("none", new double[0][], 1),
            new Scripted("two", good, 1), new Scripted("other", secondIsBad, 1)), new Order(3, 2), 1);

        assertThat(rounds.entries().get(2).objectives).containsExactly(5, 6);
        assertThat(rounds.wrong()).containsExactly("other");
    }

    @Test
    void shouldTakeTheMiddleOrTheMeanOfTheTwoInTheMiddle() {
        assertThat(Rounds.median(new double[] {9, 1, 2})).isEqualTo(2);
        assertThat(Rounds.median(new double[] {4, 1, 2, 9})).isEqualTo(3);
    }

    /** Takes as long as it is told to, in its own words. */
    private static final class Scripted implements Contestant {
        private final String name;
        private final double[][] models;
        private final Iterator<Double> seconds;

        Scripted(String name, double[][] models, double... seconds) {
            this.name = name;
            this.models = models;
            this.seconds = Arrays.stream(seconds).iterator();
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
        public Outcome fit(Order order) {
            return new Outcome(seconds.next(), order.iterations(), models, Map.of());
        }

        @Override
        public void close() { }
    }
}
