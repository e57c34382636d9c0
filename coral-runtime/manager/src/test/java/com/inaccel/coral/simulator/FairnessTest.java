package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

class FairnessTest {
    private static final long SECOND = 1_000_000_000;
    private static final Tenant ONE = new Tenant(0, "one", 1);
    private static final Tenant TWO = new Tenant(1, "two", 1);
    private static final Tenant DOUBLE = new Tenant(1, "double", 2);

    private static Fairness of(Tenant first, Tenant second) {
        return new Fairness(List.of(first, second), new boolean[2], 10 * SECOND);
    }

    private static void ask(Fairness fairness, Tenant tenant, long from, long to, long seconds) {
        fairness.needs(tenant, from * SECOND, seconds * SECOND);
        for (int i = 0; i < seconds; i++) { // requests of a second each
            fairness.asked(tenant, from * SECOND, to * SECOND);
        }
    }

    /** Of a device's time, for so many seconds. */
    private static Fairness bothAskForAll(Tenant first, Tenant second, long seconds) {
        Fairness fairness = of(first, second);
        ask(fairness, first, 0, seconds, seconds);
        ask(fairness, second, 0, seconds, seconds);
        return fairness;
    }

    @Test
    void shouldBeOneWhereEverybodyGotTheSame() {
        Fairness fairness = bothAskForAll(ONE, TWO, 10);
        fairness.got(ONE, 0, 5 * SECOND);
        fairness.got(TWO, 5 * SECOND, 10 * SECOND);
        assertThat(fairness.index(10 * SECOND)).isEqualTo(1, within(1e-9));
    }

    @Test
    void shouldBeAHalfWhereOneOfTwoGotAll() {
        Fairness fairness = bothAskForAll(ONE, TWO, 10);
        fairness.got(ONE, 0, 10 * SECOND);
        assertThat(fairness.index(10 * SECOND)).isEqualTo(0.5, within(1e-9));
    }

    @Test
    void shouldGoByShare() {
        Fairness fairness = bothAskForAll(ONE, DOUBLE, 10);
        fairness.got(ONE, 0, 3 * SECOND);
        fairness.got(DOUBLE, 3 * SECOND, 9 * SECOND);
        assertThat(fairness.index(10 * SECOND)).isEqualTo(1, within(1e-9));
    }

    @Test
    void shouldOweNobodyMoreThanWasAskedFor() {
        Fairness fairness = of(ONE, TWO);
        ask(fairness, ONE, 0, 10, 2);
        ask(fairness, TWO, 0, 10, 50);
        fairness.got(ONE, 0, 2 * SECOND);
        fairness.got(TWO, 2 * SECOND, 10 * SECOND);
        assertThat(fairness.index(10 * SECOND)).isEqualTo(1, within(1e-9));
    }

    @Test
    void shouldNotMakeUpInOneWindowForAnother() {
        Fairness fairness = bothAskForAll(ONE, TWO, 20);
        fairness.got(ONE, 0, 10 * SECOND);
        fairness.got(TWO, 10 * SECOND, 20 * SECOND);
        assertThat(fairness.index(20 * SECOND)).isEqualTo(0.5, within(1e-9));
    }
}
