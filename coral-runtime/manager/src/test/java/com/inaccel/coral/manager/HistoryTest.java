package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.EngineStats;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.manager.Metrics.Totals;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class HistoryTest {
    private static final double[] BOUNDS = {1, 2, 4, Double.POSITIVE_INFINITY};

    private final History history = new History();

    /** At a second of the test's clock. */
    private void sample(double second, long busyMillis, Map<String, Integer> waiting, Map<String, Totals> totals) {
        history.sample((long) (second * 1_000), (long) (second * TimeUnit.SECONDS.toNanos(1)), new EngineStats(
            List.of(new DeviceStats("d", true, "", 0, 0, 0, 0, 0, 0, TimeUnit.MILLISECONDS.toNanos(busyMillis))),
            waiting.keySet().stream().sorted()
                .map(name -> new AllocationStats(new Allocation(name, 1, 1), 1, waiting.get(name), 0, 0, 0)).toList(),
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0), totals);
    }

    private static Totals totals(long done, long failed, int bucket) {
        long[] waits = new long[Metrics.bounds().length];
        waits[bucket] = done;
        return new Totals(done, failed, waits);
    }

    @Test
    void shouldTellTheUtilizationOfEachSecond() {
        sample(10, 5_000, Map.of(), Map.of());
        sample(11, 5_250, Map.of(), Map.of());
        sample(13, 6_250, Map.of(), Map.of());
        sample(14, 9_250, Map.of(), Map.of()); // more than a device has: two counters are not read at one instant
        assertThat(history.lines().utilization()).isEqualTo(Map.of("d", List.of(0, 25, 50, 100)));
        assertThat(history.utilization()).isEqualTo(Map.of("d", 100));
    }

    @Test
    void shouldLeaveGapsWhereAnAllocationWasNotThere() {
        sample(1, 0, Map.of("a", 3), Map.of());
        sample(2, 0, Map.of("b", 4), Map.of());
        sample(3, 0, Map.of("a", 5, "b", 6), Map.of());
        assertThat(history.lines().waiting())
            .isEqualTo(Map.of("a", Arrays.asList(3, null, 5), "b", Arrays.asList(null, 4, 6)));
        assertThat(history.lines().millis()).containsExactly(1_000L, 2_000L, 3_000L);
    }

    @Test
    void shouldRememberFiveMinutesAndNoMore() {
        IntStream.rangeClosed(1, History.SAMPLES + 7).forEach(second -> sample(second, 0, Map.of("a", second), Map.of()));
        assertThat(history.lines().waiting().get("a")).hasSize(History.SAMPLES).startsWith(8).endsWith(307);
    }

    @Test
    void shouldTellRatesAndWaitingTimesOfTheLastSamplesOnly() {
        for (int second = 0; second < 30; second++) {
            // A request a second at first, then ten; those of the last window waited in the third bucket: 25 to 50 µs.
            long done = second < 15 ? second : 15 + (second - 15) * 10L;
            sample(second, 0, Map.of(), Map.of("a", totals(done, second, 2)));
        }
        History.Rates rates = history.rates("a");
        assertThat(rates.donePerSecond()).isEqualTo(10, within(1e-9));
        assertThat(rates.failedPerSecond()).isEqualTo(1, within(1e-9));
        assertThat(rates.waitP50Seconds()).hasValueCloseTo(37.5e-6, within(1e-12));
        assertThat(history.rates("b").waitP50Seconds()).isEmpty();
    }

    @Test
    void shouldStartAnewWhenAnAllocationComesBackByItsName() {
        sample(1, 0, Map.of(), Map.of("a", totals(1_000, 5, 0)));
        sample(2, 0, Map.of(), Map.of("a", totals(4, 0, 1)));
        assertThat(history.rates("a").donePerSecond()).isEqualTo(4);
    }

    @Test
    void shouldInterpolateWithinABucketAndStopAtTheLastBound() {
        assertThat(History.quantile(0.5, new long[] {0, 0, 0, 0}, BOUNDS)).isEmpty();
        assertThat(History.quantile(0.5, new long[] {10, 0, 0, 0}, BOUNDS)).hasValue(0.5);
        assertThat(History.quantile(0.5, new long[] {5, 0, 5, 0}, BOUNDS)).hasValue(1);
        assertThat(History.quantile(0.75, new long[] {5, 0, 10, 0}, BOUNDS)).hasValue(2 + 2 * 6.25 / 10);
        assertThat(History.quantile(0.95, new long[] {1, 0, 0, 9}, BOUNDS)).hasValue(4);
        assertThat(History.quantile(1, new long[] {1, 1, 0, 0}, BOUNDS)).hasValue(2);
    }
}
