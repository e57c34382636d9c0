package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.SchedulingPolicy.Decision;
import com.inaccel.coral.engine.SchedulingPolicy.Entry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongBiFunction;
import org.junit.jupiter.api.Test;

class SchedulingPolicyTest {
    private static final long MILLI = 1_000_000;
    private static final long STARVATION = 1_000 * MILLI;

    private long now;
    private final Map<Entry<String>, Long> running = new HashMap<>();

    private SchedulingPolicy<String> policy(int devices, ToLongBiFunction<String, Integer> penalty) {
        return new SchedulingPolicy<>(devices, penalty::applyAsLong, STARVATION);
    }

    private static SchedulingPolicy<String> freePolicy() {
        return new SchedulingPolicy<>(1, (request, device) -> 0, STARVATION);
    }

    private String next(SchedulingPolicy<String> policy, int device) {
        Decision<String> decision = policy.select(device, now);
        return decision.entry().map(entry -> {
            running.put(entry, now);
            return entry.request();
        }).orElse("");
    }

    /** Takes and settles at once, at the cost that was expected. */
    private List<String> run(SchedulingPolicy<String> policy, int count, long tookNanos) {
        List<String> order = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Entry<String> entry = policy.select(0, now).entry().orElseThrow();
            now += tookNanos;
            policy.settle(entry, tookNanos);
            order.add(entry.request());
        }
        return order;
    }

    @Test
    void shouldShareDeviceTimeByShare() {
        SchedulingPolicy<String> policy = freePolicy();
        for (int i = 0; i < 1000; i++) {
            policy.add("small", 1, "small", 0, MILLI / 10, now);
            policy.add("large", 3, "large", 0, MILLI / 10, now);
        }
        List<String> order = run(policy, 1000, MILLI / 10);
        assertThat(order.stream().filter("small"::equals).count()).isBetween(240L, 260L);
    }

    @Test
    void shouldChargeTimeRatherThanRequests() {
        SchedulingPolicy<String> policy = freePolicy();
        for (int i = 0; i < 1000; i++) {
            policy.add("long", 1, "long", 0, 10 * MILLI, now);
            policy.add("short", 1, "short", 0, MILLI, now);
        }
        List<String> order = new ArrayList<>();
        for (int i = 0; i < 550; i++) {
            Entry<String> entry = policy.select(0, now).entry().orElseThrow();
            policy.settle(entry, entry.request().equals("long") ? 10 * MILLI : MILLI);
            order.add(entry.request());
        }
        assertThat(order.stream().filter("long"::equals).count()).isBetween(45L, 55L);
    }

    @Test
    void shouldSettleWhatWasExpectedWithWhatWasMeasured() {
        SchedulingPolicy<String> policy = freePolicy();
        for (int i = 0; i < 1000; i++) {
            policy.add("underestimated", 1, "underestimated", 0, MILLI, now);
            policy.add("honest", 1, "honest", 0, MILLI, now);
        }
        List<String> order = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Entry<String> entry = policy.select(0, now).entry().orElseThrow();
            policy.settle(entry, entry.request().equals("honest") ? MILLI : 4 * MILLI);
            order.add(entry.request());
        }
        assertThat(order.stream().filter("honest"::equals).count()).isBetween(390L, 410L);
    }

    @Test
    void shouldNotLetAnAllocationSaveUpTurnsByIdling() {
        SchedulingPolicy<String> policy = freePolicy();
        for (int i = 0; i < 200; i++) {
            policy.add("busy", 1, "busy", 0, MILLI, now);
        }
        policy.add("idle", 1, "idle", 0, MILLI, now);
        run(policy, 100, MILLI);
        for (int i = 0; i < 100; i++) {
            policy.add("idle", 1, "idle", 0, MILLI, now);
        }
        assertThat(run(policy, 20, MILLI).stream().filter("idle"::equals).count()).isBetween(9L, 12L);
    }

    @Test
    void shouldRunHigherPriorityFirstAndThenInOrder() {
        SchedulingPolicy<String> policy = freePolicy();
        policy.add("a", 1, "first", 0, MILLI, now);
        policy.add("a", 1, "second", 0, MILLI, now);
        policy.add("a", 1, "urgent", 5, MILLI, now);
        policy.add("a", 1, "whenever", -5, MILLI, now);
        assertThat(run(policy, 4, MILLI)).containsExactly("urgent", "first", "second", "whenever");
    }

    @Test
    void shouldNotLetPrioritiesOfOneAllocationDelayAnother() {
        SchedulingPolicy<String> policy = freePolicy();
        for (int i = 0; i < 10; i++) {
            policy.add("pushy", 1, "pushy", 1000, MILLI, now);
            policy.add("modest", 1, "modest", 0, MILLI, now);
        }
        assertThat(run(policy, 10, MILLI).stream().filter("modest"::equals).count()).isEqualTo(5);
    }

    @Test
    void shouldPreferTheDeviceThatIsReady() {
        SchedulingPolicy<String> policy = policy(2, (request, device) -> device == 1 ? 0 : 50 * MILLI);
        policy.add("a", 1, "request", 0, MILLI, now);
        Decision<String> waits = policy.select(0, now);
        assertThat(waits.entry()).isEmpty();
        assertThat(waits.waitNanos()).isEqualTo(50 * MILLI);
        assertThat(next(policy, 1)).isEqualTo("request");
    }

    @Test
    void shouldMoveToAnotherDeviceAfterWaitingAsLongAsThatCosts() {
        SchedulingPolicy<String> policy = policy(2, (request, device) -> device == 1 ? 0 : 50 * MILLI);
        policy.add("a", 1, "request", 0, MILLI, now);
        now += 50 * MILLI - 1;
        assertThat(next(policy, 0)).isEmpty();
        now++;
        assertThat(next(policy, 0)).isEqualTo("request");
    }

    @Test
    void shouldFinishWhatIsProgrammedBeforeReprogramming() {
        Map<String, Long> penalties = Map.of("programmed", 0L, "other", 200 * MILLI);
        SchedulingPolicy<String> policy = policy(1, (request, device) -> penalties.get(request));
        policy.add("a", 1, "other", 0, MILLI, now);
        policy.add("b", 1, "programmed", 0, MILLI, now);
        policy.add("b", 1, "programmed", 0, MILLI, now);
        assertThat(run(policy, 3, MILLI)).containsExactly("programmed", "programmed", "other");
    }

    @Test
    void shouldNotStarveARequestThatNeedsReprogramming() {
        SchedulingPolicy<String> policy = policy(1, (request, device) ->
            request.equals("dear") ? 3_600_000 * MILLI : 0);
        policy.add("dear", 1, "dear", 0, MILLI, now);
        long started = now;
        while (true) {
            policy.add("cheap", 1, "cheap", 0, MILLI, now);
            policy.add("cheap", 1, "cheap", 0, MILLI, now);
            if (run(policy, 1, MILLI).contains("dear")) {
                break;
            }
        }
        assertThat(now - started).isBetween(STARVATION, STARVATION + 10 * MILLI);
    }

    @Test
    void shouldReprogramAtOnceWhenThereIsNothingElseToDo() {
        SchedulingPolicy<String> policy = policy(1, (request, device) -> 500 * MILLI);
        policy.add("a", 1, "request", 0, MILLI, now);
        assertThat(next(policy, 0)).isEqualTo("request");
    }

    @Test
    void shouldNeverTakeWhatTheDeviceCannotRun() {
        SchedulingPolicy<String> policy = policy(2, (request, device) -> device == 0 ? SchedulingPolicy.NEVER : 5);
        policy.add("a", 1, "request", 0, MILLI, now);
        now += 10 * STARVATION;
        Decision<String> decision = policy.select(0, now);
        assertThat(decision.entry()).isEmpty();
        assertThat(decision.waitNanos()).isEqualTo(SchedulingPolicy.NEVER);
        assertThat(next(policy, 1)).isEqualTo("request");
    }

    @Test
    void shouldPassOverWhatAnotherDeviceIsBetterFor() {
        SchedulingPolicy<String> policy =
            policy(2, (request, device) -> request.equals("on" + device) ? 0 : 50 * MILLI);
        policy.add("a", 1, "on1", 0, MILLI, now);
        policy.add("a", 1, "on0", 0, MILLI, now);
        assertThat(next(policy, 0)).isEqualTo("on0");
        assertThat(next(policy, 1)).isEqualTo("on1");
    }

    @Test
    void shouldForgetWhatWasRemoved() {
        SchedulingPolicy<String> policy = freePolicy();
        Entry<String> entry = policy.add("a", 1, "request", 0, MILLI, now);
        assertThat(policy.size()).isEqualTo(1);
        assertThat(policy.remove(entry)).isTrue();
        assertThat(policy.remove(entry)).isFalse();
        assertThat(policy.size()).isZero();
        assertThat(next(policy, 0)).isEmpty();
    }

    @Test
    void shouldDecideQuicklyWithManyAllocationsAndRequests() {
        SchedulingPolicy<String> policy = policy(8, (request, device) -> device == 7 ? 0 : STARVATION);
        for (int i = 0; i < 100_000; i++) {
            policy.add("allocation" + i % 50, 1 + i % 3, "request", i % 5, MILLI, now);
        }
        int taken = 0;
        while (policy.size() > 0) {
            taken++;
            policy.settle(policy.select(7, now).entry().orElseThrow(), 2 * MILLI);
        }
        assertThat(taken).isEqualTo(100_000);
    }
}
