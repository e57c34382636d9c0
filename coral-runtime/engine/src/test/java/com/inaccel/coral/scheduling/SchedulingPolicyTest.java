package com.inaccel.coral.scheduling;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.scheduling.SchedulingPolicy.CostModel;
import com.inaccel.coral.scheduling.SchedulingPolicy.Decision;
import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;
import com.inaccel.coral.scheduling.SchedulingPolicy.Kind;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToLongBiFunction;
import org.junit.jupiter.api.Test;

/** Single decisions. Requests are the names of what they need programmed, up to a dot; of what they read, after it. */
class SchedulingPolicyTest {
    private static final long MILLI = 1_000_000;
    private static final long STARVATION = 1_000 * MILLI;
    private static final long PROGRAMMING = 100 * MILLI;
    private static final long COPY = 10 * MILLI;

    /** {@code "0:a"} when device 0 is programmed with a; {@code "0.data"} when data are there; {@code "0-a"} when it never runs a. */
    private final Set<String> state = new HashSet<>();
    private long now;

    private record Need(Set<String> state, String name) implements Kind {
        @Override
        public long programmingNanos(int device) {
            return state.contains(device + "-" + name) ? SchedulingPolicy.NEVER
                : state.contains(device + ":" + name) ? 0 : PROGRAMMING;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Need need && need.name.equals(name);
        }

        @Override
        public int hashCode() {
            return name.hashCode();
        }
    }

    private static String needed(String request) {
        return request.split("\\.")[0];
    }

    private SchedulingPolicy<String> policy(int devices) {
        return policy(devices, (request, device) ->
            !request.contains(".") || state.contains(device + "." + request.split("\\.")[1]) ? 0 : COPY);
    }

    private SchedulingPolicy<String> policy(int devices, ToLongBiFunction<String, Integer> copy) {
        return new SchedulingPolicy<>(new int[devices], new CostModel<>() {
            @Override
            public Kind kind(String request) {
                return new Need(state, needed(request));
            }

            @Override
            public long copyNanos(String request, int device) {
                return copy.applyAsLong(request, device);
            }

            @Override
            public BitSet holders(String request) {
                BitSet all = new BitSet();
                all.set(0, devices);
                return all;
            }
        }, STARVATION);
    }

    /** One device that is programmed with all. */
    private SchedulingPolicy<String> freePolicy(String... names) {
        for (String name : names) {
            state.add("0:" + name);
        }
        return policy(1);
    }

    private Entry<String> add(SchedulingPolicy<String> policy, String allocation, String request) {
        return policy.add(allocation, 1, request, 0, SchedulingPolicy.NEVER, MILLI, now);
    }

    private String next(SchedulingPolicy<String> policy, int device) {
        Decision<String> decision = policy.select(device, now);
        decision.entry().ifPresent(entry -> {
            state.removeIf(fact -> fact.startsWith(device + ":") && !fact.equals(device + ":" + needed(entry.request())));
            state.add(device + ":" + needed(entry.request()));
            policy.settle(entry, MILLI);
        });
        return decision.entry().map(Entry::request).orElse("");
    }

    /** Takes and settles at once. */
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

    private static long count(List<String> order, String request) {
        return order.stream().filter(request::equals).count();
    }

    @Test
    void shouldShareDeviceTimeByShare() {
        SchedulingPolicy<String> policy = freePolicy("one", "two", "four");
        for (int i = 0; i < 700; i++) {
            policy.add("1", 1, "one", 0, SchedulingPolicy.NEVER, MILLI, now);
            policy.add("2", 2, "two", 0, SchedulingPolicy.NEVER, MILLI, now);
            policy.add("4", 4, "four", 0, SchedulingPolicy.NEVER, MILLI, now);
        }
        List<String> order = run(policy, 700, MILLI);
        assertThat(count(order, "one")).isBetween(98L, 102L);
        assertThat(count(order, "two")).isBetween(198L, 202L);
    }

    @Test
    void shouldSettleWhatWasExpectedWithWhatWasMeasured() {
        SchedulingPolicy<String> policy = freePolicy("underestimated", "honest");
        for (int i = 0; i < 1000; i++) {
            add(policy, "a", "underestimated");
            add(policy, "b", "honest");
        }
        List<String> order = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Entry<String> entry = policy.select(0, now).entry().orElseThrow();
            policy.settle(entry, entry.request().equals("honest") ? MILLI : 4 * MILLI);
            order.add(entry.request());
        }
        assertThat(count(order, "honest")).isBetween(398L, 402L);
    }

    @Test
    void shouldNeitherChargeNorCreditProgrammingToWhomItWasDoneFor() {
        state.add("0:other");
        SchedulingPolicy<String> policy = policy(1);
        for (int i = 0; i < 3; i++) {
            add(policy, "a", "one");
            add(policy, "b", "one");
        }
        assertThat(next(policy, 0)).as("is programmed for a, of which more waits").isEqualTo("one");
        assertThat(policy.waiting("a")).isEqualTo(2);
        run(policy, 3, MILLI);
        assertThat(policy.waiting("a")).isEqualTo(1);
        assertThat(policy.waiting("b")).isEqualTo(1);
    }

    @Test
    void shouldNotLetAnAllocationSaveUpTurnsByIdling() {
        SchedulingPolicy<String> policy = freePolicy("busy", "idle");
        for (int i = 0; i < 200; i++) {
            add(policy, "a", "busy");
        }
        add(policy, "b", "idle");
        run(policy, 100, MILLI);
        for (int i = 0; i < 100; i++) {
            add(policy, "b", "idle");
        }
        assertThat(count(run(policy, 20, MILLI), "idle")).isBetween(9L, 12L);
    }

    @Test
    void shouldRememberADebtWhileNothingWaits() {
        SchedulingPolicy<String> policy = freePolicy("debtor", "other");
        add(policy, "a", "debtor");
        run(policy, 1, 10 * MILLI);
        for (int i = 0; i < 20; i++) {
            add(policy, "a", "debtor");
            add(policy, "b", "other");
        }
        assertThat(run(policy, 8, MILLI)).containsOnly("other");
    }

    @Test
    void shouldForgetADebtWithItsAllocation() {
        SchedulingPolicy<String> policy = freePolicy("debtor", "other");
        add(policy, "a", "debtor");
        Entry<String> running = policy.select(0, now).entry().orElseThrow();
        policy.forget("a");
        policy.settle(running, 10 * MILLI);
        add(policy, "b", "other");
        add(policy, "a", "debtor");
        assertThat(run(policy, 2, MILLI)).containsExactlyInAnyOrder("other", "debtor");
        assertThat(policy.waiting("a")).isZero();
    }

    @Test
    void shouldRunHigherPriorityThenEarlierDeadlineThenOlderFirst() {
        SchedulingPolicy<String> policy = freePolicy("x");
        policy.add("a", 1, "x.first", 0, SchedulingPolicy.NEVER, MILLI, now);
        policy.add("a", 1, "x.second", 0, SchedulingPolicy.NEVER, MILLI, now);
        policy.add("a", 1, "x.late", 0, 500, MILLI, now);
        policy.add("a", 1, "x.soon", 0, 400, MILLI, now);
        policy.add("a", 1, "x.urgent", 5, SchedulingPolicy.NEVER, MILLI, now);
        policy.add("a", 1, "x.whenever", -5, 1, MILLI, now);
        now = COPY;
        assertThat(run(policy, 6, MILLI))
            .containsExactly("x.urgent", "x.soon", "x.late", "x.first", "x.second", "x.whenever");
    }

    @Test
    void shouldHoldToThePriorityAmongDifferentKindsThatAreProgrammed() {
        SchedulingPolicy<String> policy = freePolicy("x", "y");
        policy.add("a", 1, "x", 0, SchedulingPolicy.NEVER, MILLI, now);
        policy.add("a", 1, "y", 1, SchedulingPolicy.NEVER, MILLI, now);
        assertThat(run(policy, 2, MILLI)).containsExactly("y", "x");
    }

    @Test
    void shouldNotLetPrioritiesOfOneAllocationDelayAnother() {
        SchedulingPolicy<String> policy = freePolicy("pushy", "modest");
        for (int i = 0; i < 10; i++) {
            policy.add("a", 1, "pushy", 1000, SchedulingPolicy.NEVER, MILLI, now);
            add(policy, "b", "modest");
        }
        assertThat(count(run(policy, 10, MILLI), "modest")).isEqualTo(5);
    }

    @Test
    void shouldReprogramAtOnceWhenThereIsNothingElseToDo() {
        SchedulingPolicy<String> policy = policy(1);
        add(policy, "a", "x");
        assertThat(next(policy, 0)).isEqualTo("x");
    }

    @Test
    void shouldMoveToAnotherDeviceAfterWaitingAsLongAsThatCosts() {
        SchedulingPolicy<String> policy = policy(2);
        add(policy, "a", "x");
        assertThat(next(policy, 0)).isEqualTo("x");
        add(policy, "a", "x");
        Decision<String> waits = policy.select(1, now);
        assertThat(waits.entry()).isEmpty();
        assertThat(waits.waitNanos()).isEqualTo(PROGRAMMING);
        now += PROGRAMMING - 1;
        assertThat(next(policy, 1)).isEmpty();
        now++;
        assertThat(next(policy, 1)).isEqualTo("x");
    }

    @Test
    void shouldLingerForTheNextRequestOfALoopBeforeReprogramming() {
        SchedulingPolicy<String> policy = policy(1);
        add(policy, "a", "x");
        next(policy, 0);
        add(policy, "b", "y");
        Decision<String> waits = policy.select(0, now);
        assertThat(waits.entry()).isEmpty();
        assertThat(waits.waitNanos()).isEqualTo(PROGRAMMING / SchedulingPolicy.LINGER);
        add(policy, "a", "x");
        assertThat(next(policy, 0)).isEqualTo("x");
        assertThat(next(policy, 0)).isEmpty();
        now += PROGRAMMING / SchedulingPolicy.LINGER;
        assertThat(next(policy, 0)).isEqualTo("y");
    }

    @Test
    void shouldLingerForAsLongAsItTakesUntilTheNextRequestIsLikelyToCome() {
        SchedulingPolicy<String> policy = policy(1);
        for (int i = 0; i < 20; i++) { // one each tenth of the time that programming takes
            add(policy, "a", "x");
            assertThat(next(policy, 0)).isEqualTo("x");
            now += PROGRAMMING / 10;
        }
        add(policy, "b", "y");
        assertThat(policy.select(0, now).waitNanos()).isBetween(3 * PROGRAMMING / 10, 5 * PROGRAMMING / 10);
        now += PROGRAMMING / 10;
        add(policy, "a", "x");
        assertThat(next(policy, 0)).isEqualTo("x");
        assertThat(next(policy, 0)).isEmpty();
        now += PROGRAMMING / 2;
        assertThat(next(policy, 0)).isEqualTo("y");
    }

    @Test
    void shouldNotTurnAllDevicesToAKindAtOnce() {
        SchedulingPolicy<String> policy = policy(3);
        for (int device = 0; device < 3; device++) {
            state.add(device + ":x");
        }
        for (int i = 0; i < 1_000; i++) {
            add(policy, "a", "x");
        }
        assertThat(next(policy, 0)).isEqualTo("x");
        add(policy, "b", "y"); // a millisecond of work
        now += 2 * PROGRAMMING;
        for (int i = 0; i < 300; i++) {
            Entry<String> entry = policy.select(2, now).entry().orElseThrow();
            policy.settle(entry, 20 * MILLI); // b lags behind
            if (entry.request().equals("y")) {
                state.remove("2:x");
                state.add("2:y");
                add(policy, "b", "y"); // more of it, but it is about to be served
                break;
            }
        }
        assertThat(state).contains("2:y");
        assertThat(next(policy, 0)).isEqualTo("x");
        assertThat(next(policy, 1)).isEqualTo("x");
    }

    @Test
    void shouldTurnToAKindThatNoDeviceServesBeforeOneThatLagsALittleMore() {
        SchedulingPolicy<String> policy = policy(2);
        state.addAll(Set.of("0:z", "1:z"));
        for (int i = 0; i < 16; i++) {
            add(policy, "c" + i, "z");
            policy.settle(policy.select(0, now).entry().orElseThrow(), PROGRAMMING / 4);
        }
        state.clear();
        state.addAll(Set.of("0:x", "1:x"));
        for (int i = 0; i < 1_000; i++) {
            add(policy, "a", "x");
        }
        for (int i = 0; i < 160; i++) {
            add(policy, "b" + i % 16, "y");
            add(policy, "c" + i % 16, "z");
        }
        now += 2 * PROGRAMMING;
        assertThat(firstOther(policy, 0)).isEqualTo("y");
        assertThat(firstOther(policy, 1)).isEqualTo("z");
    }

    /** What the device turns to when its time is up, each of its requests having taken twice as long as programming. */
    private String firstOther(SchedulingPolicy<String> policy, int device) {
        for (int i = 0; i < 1_000; i++) {
            Entry<String> entry = policy.select(device, now).entry().orElseThrow();
            policy.settle(entry, 2 * PROGRAMMING);
            if (!entry.request().equals("x")) {
                state.remove(device + ":x");
                state.add(device + ":" + entry.request());
                return entry.request();
            }
        }
        throw new AssertionError("never turns");
    }

    @Test
    void shouldWaitLongerWhileTheDeviceRunsWhatMayBeFollowedByMore() {
        SchedulingPolicy<String> policy = policy(1);
        add(policy, "a", "x");
        Entry<String> running = policy.select(0, now).entry().orElseThrow();
        state.add("0:x");
        add(policy, "b", "y");
        assertThat(policy.select(0, now).waitNanos()).isEqualTo(STARVATION);
        policy.settle(running, MILLI);
        assertThat(policy.select(0, now).waitNanos()).isEqualTo(PROGRAMMING / SchedulingPolicy.LINGER);
        now += STARVATION;
        assertThat(next(policy, 0)).isEqualTo("y");
    }

    @Test
    void shouldPassOverWhatAnotherDeviceIsProgrammedFor() {
        SchedulingPolicy<String> policy = policy(2);
        add(policy, "a", "x");
        add(policy, "a", "y");
        next(policy, 0);
        next(policy, 1);
        add(policy, "a", "y");
        add(policy, "a", "x");
        assertThat(next(policy, 0)).isEqualTo("x");
        assertThat(next(policy, 1)).isEqualTo("y");
    }

    @Test
    void shouldPassOverWhoseDataAnotherReadyDeviceHoldsForAsLongAsCopyingTakes() {
        SchedulingPolicy<String> policy = policy(2);
        state.addAll(Set.of("0:x", "1:x", "1.there"));
        add(policy, "a", "x.there");
        assertThat(policy.select(0, now).waitNanos()).isEqualTo(COPY);
        add(policy, "a", "x.nowhere");
        assertThat(next(policy, 0)).isEqualTo("x.nowhere");
        now += COPY;
        assertThat(next(policy, 0)).isEqualTo("x.there");
    }

    @Test
    void shouldNeverTakeWhatTheDeviceCannotRun() {
        SchedulingPolicy<String> policy = policy(2);
        state.add("0-x");
        add(policy, "a", "x");
        now += 10 * STARVATION;
        Decision<String> decision = policy.select(0, now);
        assertThat(decision.entry()).isEmpty();
        assertThat(decision.waitNanos()).isEqualTo(SchedulingPolicy.NEVER);
        assertThat(next(policy, 1)).isEqualTo("x");
    }

    @Test
    void shouldRunElsewhereAtOnceWhenTheDeviceThatWasProgrammedIsGone() {
        SchedulingPolicy<String> policy = policy(2);
        add(policy, "a", "x");
        next(policy, 0);
        add(policy, "a", "x");
        state.remove("0:x");
        state.add("0-x");
        assertThat(next(policy, 1)).isEqualTo("x");
    }

    @Test
    void shouldNameTheDeviceToAskFirst() {
        SchedulingPolicy<String> policy = policy(3);
        BitSet all = new BitSet();
        all.set(0, 3);
        Entry<String> first = add(policy, "a", "x");
        assertThat(policy.nearest(first, new BitSet())).isEqualTo(-1);
        next(policy, policy.nearest(first, all));
        Entry<String> second = add(policy, "a", "y");
        assertThat(policy.nearest(second, all)).as("not the one that is programmed with x").isEqualTo(1);
        now++;
        next(policy, 1);
        assertThat(policy.nearest(add(policy, "a", "x"), all)).isZero();
        assertThat(policy.nearest(add(policy, "a", "y"), all)).isEqualTo(1);
        all.clear(2);
        assertThat(policy.nearest(add(policy, "a", "z"), all)).as("idle for longer").isZero();
        state.addAll(Set.of("0:z", "1:z", "1.data"));
        assertThat(policy.nearest(add(policy, "a", "z.data"), all)).isEqualTo(1);
    }

    @Test
    void shouldKeepCountsOfPlatformsApart() {
        SchedulingPolicy<String> policy = new SchedulingPolicy<>(new int[] {0, 1}, new CostModel<>() {
            @Override
            public Kind kind(String request) {
                return device -> request.equals("both") || request.equals("on" + device) ? 0 : SchedulingPolicy.NEVER;
            }

            @Override
            public long copyNanos(String request, int device) {
                return 0;
            }

            @Override
            public BitSet holders(String request) {
                return new BitSet();
            }
        }, STARVATION);
        for (int i = 0; i < 100; i++) {
            add(policy, "a", "on1");
            policy.settle(policy.select(1, now).entry().orElseThrow(), MILLI);
        }
        for (int i = 0; i < 10; i++) {
            add(policy, "a", "on0");
            add(policy, "b", "on0");
        }
        for (int i = 0; i < 10; i++) {
            policy.settle(policy.select(0, now).entry().orElseThrow(), MILLI);
        }
        assertThat(policy.waiting("a")).isEqualTo(5);
    }

    @Test
    void shouldForgetWhatWasRemoved() {
        SchedulingPolicy<String> policy = freePolicy("x");
        Entry<String> entry = add(policy, "a", "x");
        assertThat(policy.size()).isEqualTo(1);
        assertThat(policy.remove(entry)).isTrue();
        assertThat(policy.remove(entry)).isFalse();
        assertThat(policy.size()).isZero();
        assertThat(policy.waiting()).isEmpty();
        assertThat(next(policy, 0)).isEmpty();
        Entry<String> taken = add(policy, "a", "x");
        policy.select(0, now);
        assertThat(policy.remove(taken)).as("it runs").isFalse();
    }
}
