package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What holds for whole workloads, in virtual time. */
class SchedulingPropertiesTest {
    private static final long MILLI = 1_000_000;
    private static final long SECOND = 1_000 * MILLI;
    private static final long PROGRAMMING = 200 * MILLI;
    private static final long STARVATION = 10 * SECOND;

    private static Trial trial(int devices, int bitstreams) {
        return Trial.of(devices, bitstreams, PROGRAMMING, STARVATION);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void shouldServeManyClientsOfMixedBitstreamsFairlyAndWithLittleReprogramming(int bitstreams) {
        Trial trial = trial(2, bitstreams);
        for (int i = 0; i < 64; i++) {
            trial.loop("client" + i, 1, i % bitstreams, 5 * MILLI);
        }
        long seconds = 20;
        trial.events.runUntil(seconds * SECOND);
        long ran = trial.served.values().stream().mapToLong(Long::longValue).sum();
        assertThat(trial.jain()).isGreaterThan(0.95);
        // One client alone keeps one device busy but for the moment between its requests.
        assertThat(ran / (2.0 * seconds * SECOND)).isGreaterThanOrEqualTo(0.95);
        assertThat(trial.programmings).isLessThanOrEqualTo(2 * Math.max(2, bitstreams));
    }

    @Test
    void shouldServeFairlyWhatIsSpreadUnevenlyOverBitstreams() {
        Trial trial = trial(2, 2);
        for (int i = 0; i < 64; i++) {
            trial.loop("client" + i, 1, i < 44 ? 0 : 1, 5 * MILLI);
        }
        trial.events.runUntil(60 * SECOND);
        assertThat(trial.jain()).isGreaterThan(0.98);
    }

    @Test
    void shouldServeByShareAcrossBitstreams() {
        Trial trial = trial(2, 2);
        for (int i = 0; i < 30; i++) {
            trial.loop("client" + i, 1 << i % 3, i % 2, 5 * MILLI);
        }
        trial.events.runUntil(60 * SECOND);
        assertThat(trial.jain()).isGreaterThan(0.95);
    }

    @Test
    void shouldNotLetTheOnlyClientOfABitstreamDelayTheMany() {
        Trial trial = trial(1, 2);
        for (int i = 0; i < 63; i++) {
            trial.loop("client" + i, 1, 0, 5 * MILLI);
        }
        trial.loop("lone", 1, 1, 5 * MILLI);
        trial.events.runUntil(120 * SECOND);
        assertThat(trial.jain()).isGreaterThan(0.95);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void shouldLetNobodyWaitForLongerThanTheBound(int seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int devices = 1 + random.nextInt(4);
        int clients = 2 + random.nextInt(30);
        int bitstreams = 1 + random.nextInt(6);
        long longest = (1 + random.nextInt(500)) * MILLI;
        long starvation = random.nextInt(3_000) * MILLI;
        Trial trial = Trial.of(devices, bitstreams, PROGRAMMING, starvation);
        long total = 0;
        int leastShare = 4;
        for (int i = 0; i < clients; i++) {
            int share = 1 << random.nextInt(3);
            total += share;
            leastShare = Math.min(leastShare, share);
            wander(trial, trial.tenant("client" + i, share), random, bitstreams, longest);
        }
        int alive = 1 + random.nextInt(devices);
        for (int i = alive; i < devices; i++) {
            int device = i;
            for (long at = 10; at < 200; at += 20) {
                trial.events.at(at * SECOND, () -> trial.node.fail(device));
                trial.events.at((at + 10) * SECOND, () -> trial.node.repair(device));
            }
        }
        trial.events.runUntil(200 * SECOND);
        // In debt by no more than its last request and what that made it pay.
        long debt = (longest + PROGRAMMING) / leastShare;
        long bound = starvation * devices / alive + (debt * total + 2L * clients * (longest + PROGRAMMING)) / alive
            + longest + 2 * PROGRAMMING;
        assertThat(trial.done).isGreaterThan(100);
        assertThat(trial.longestWaitingNanos()).isLessThanOrEqualTo(bound);
        assertThat(trial.longestWaitNanos).isLessThan(bound);
    }

    /** One request at a time, of any size and kind, and a pause of any length after each. */
    private static void wander(Trial trial, Tenant tenant, SplittableRandom random, int bitstreams, long longest) {
        int[] timer = new int[1];
        timer[0] = trial.events.timer(() -> trial.node.submit(new Job(tenant, random.nextInt(bitstreams),
            1 + random.nextLong(longest), () -> trial.events.set(timer[0], trial.events.now() + random.nextLong(longest)))));
        trial.events.set(timer[0], random.nextLong(SECOND));
    }

    @Test
    void shouldDecideTheSameAgain() {
        List<List<String>> logs = new ArrayList<>();
        for (int run = 0; run < 2; run++) {
            Trial trial = trial(3, 7);
            for (int i = 0; i < 40; i++) {
                trial.loop("client" + i, 1 + i % 3, i % 7, (1 + i % 5) * MILLI);
            }
            trial.events.runUntil(20 * SECOND);
            logs.add(trial.log);
        }
        assertThat(logs.get(0)).isEqualTo(logs.get(1)).hasSizeGreaterThan(1000);
    }

    @Test
    void shouldHoldAtEveryStageOfCancellation() {
        SplittableRandom random = new SplittableRandom(7);
        Trial trial = trial(2, 3);
        List<Job> jobs = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            Job job = new Job(trial.tenant("client" + i % 9, 1), i % 3, MILLI + random.nextLong(5L * MILLI), () -> { });
            jobs.add(job);
            trial.events.at(random.nextLong(SECOND), () -> trial.node.submit(job));
        }
        List<Job> cancelled = new ArrayList<>();
        for (Job job : jobs) {
            if (random.nextInt(3) == 0) {
                trial.events.at(SECOND + random.nextLong(SECOND), () -> {
                    if (trial.node.cancel(job)) {
                        cancelled.add(job);
                    }
                });
            }
        }
        trial.events.runUntil(100 * SECOND);
        assertThat(cancelled).hasSizeGreaterThan(50);
        assertThat(cancelled).noneMatch(job -> job.ended);
        assertThat(trial.done).isEqualTo(jobs.size() - cancelled.size());
        assertThat(trial.node.rule().size()).isZero();
    }

    @Test
    void shouldDecideQuicklyForThousandsOfDevicesAndAllocations() {
        Trial trial = trial(2_000, 16);
        for (int i = 0; i < 10_000; i++) {
            trial.loop("client" + i, 1 + i % 3, i % 16, (1 + i % 7) * SECOND / 10);
        }
        trial.events.runUntil(8 * SECOND);
        assertThat(trial.done).isGreaterThan(20_000);
    }
}
