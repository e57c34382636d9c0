package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

/** Exponential and logarithms of the LogisticRegression contract, whose bits every device gives, are close to the true ones. */
class LogisticFunctionsTest {
    private static final int SAMPLES = 200_000;
    private static final double MOST_ULPS = 2;

    @Test
    void shouldBeCloseToThePowersOfE() {
        DoubleStream powers = DoubleStream.concat(new Random(1).doubles(SAMPLES, -708, 0),
            new Random(2).doubles(SAMPLES, -30, 60).map(power -> -StrictMath.pow(2, -power)).filter(x -> x >= -708));
        requireClose(powers, LogisticProblem::exp, StrictMath::exp);
        requireClose(DoubleStream.of(0, -708, -Double.MIN_VALUE, -StrictMath.log(2) / 2), LogisticProblem::exp,
            StrictMath::exp);
        assertThat(LogisticProblem.exp(Double.NEGATIVE_INFINITY)).isEqualTo(LogisticProblem.exp(-708)).isPositive();
        assertThat(LogisticProblem.exp(Double.NaN)).isNaN();
    }

    @Test
    void shouldBeCloseToTheLogarithmOfOneAndALittle() {
        DoubleStream values = DoubleStream.concat(new Random(3).doubles(SAMPLES),
            new Random(4).doubles(SAMPLES, -1000, 0).map(power -> StrictMath.pow(2, power)));
        requireClose(values, LogisticProblem::log1p, StrictMath::log1p);
        requireClose(DoubleStream.of(0, 1, Double.MIN_NORMAL), LogisticProblem::log1p, StrictMath::log1p);
    }

    @Test
    void shouldBeCloseToTheLogarithm() {
        DoubleStream values = DoubleStream.concat(new Random(5).doubles(SAMPLES, 1, 3),
            new Random(6).doubles(SAMPLES, 0, 31).map(power -> StrictMath.pow(2, power)));
        requireClose(values, LogisticProblem::log, StrictMath::log);
        requireClose(DoubleStream.of(1, 2, Math.nextUp(1), 1024, 1 << 30), LogisticProblem::log, StrictMath::log);
        assertThat(LogisticProblem.log(Double.NaN)).isNaN();
    }

    private static void requireClose(DoubleStream values, DoubleUnaryOperator ours, DoubleUnaryOperator exact) {
        values.forEach(value -> {
            double expected = exact.applyAsDouble(value);
            if (!(Math.abs(ours.applyAsDouble(value) - expected) <= MOST_ULPS * Math.ulp(expected))) {
                assertThat(ours.applyAsDouble(value)).as("of %s", value)
                    .isCloseTo(expected, within(MOST_ULPS * Math.ulp(expected)));
            }
        });
    }
}
