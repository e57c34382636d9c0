package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.VirtualNode.Job;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

    private final Map<String, Integer> shares = new HashMap<>();

    /** One request at a time, the next a moment after the end of the last. */
    private void loop(VirtualNode node, String name, int share, int bitstream, long runNanos) {
        shares.put(name, share);
        node.at(0, () -> node.submit(new Job(name, share, bitstream, runNanos)));
    }

    private static VirtualNode looping(int devices) {
        VirtualNode node = new VirtualNode(devices, PROGRAMMING, STARVATION);
        node.whenDone = job -> node.at(node.now + MILLI / 10,
            () -> node.submit(new Job(job.allocation, job.share, job.bitstream, job.runNanos)));
        return node;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void shouldServeManyClientsOfMixedBitstreamsFairlyAndWithLittleReprogramming(int bitstreams) {
        VirtualNode node = looping(2);
        for (int i = 0; i < 64; i++) {
            loop(node, "client" + i, 1, i % bitstreams, 5 * MILLI);
        }
        long seconds = 20;
        node.run(seconds * SECOND);
        long ran = node.served.values().stream().mapToLong(Long::longValue).sum();
        assertThat(node.jain(shares)).isGreaterThan(0.95);
        // One client alone keeps one device busy but for the moment between its requests.
        assertThat(ran / (2.0 * seconds * SECOND)).isGreaterThanOrEqualTo(0.95);
        assertThat(node.programmings).isLessThanOrEqualTo(2 * Math.max(2, bitstreams));
    }

    @Test
    void shouldServeFairlyWhatIsSpreadUnevenlyOverBitstreams() {
        VirtualNode node = looping(2);
        for (int i = 0; i < 64; i++) {
            loop(node, "client" + i, 1, i < 44 ? 0 : 1, 5 * MILLI);
        }
        node.run(60 * SECOND);
        assertThat(node.jain(shares)).isGreaterThan(0.98);
    }

    @Test
    void shouldServeByShareAcrossBitstreams() {
        VirtualNode node = looping(2);
        for (int i = 0; i < 30; i++) {
            loop(node, "client" + i, 1 << i % 3, i % 2, 5 * MILLI);
        }
        node.run(60 * SECOND);
        assertThat(node.jain(shares)).isGreaterThan(0.95);
    }

    @Test
    void shouldNotLetTheOnlyClientOfABitstreamDelayTheMany() {
        VirtualNode node = looping(1);
        for (int i = 0; i < 63; i++) {
            loop(node, "client" + i, 1, 0, 5 * MILLI);
        }
        loop(node, "lone", 1, 1, 5 * MILLI);
        node.run(120 * SECOND);
        assertThat(node.jain(shares)).isGreaterThan(0.95);
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
        VirtualNode node = new VirtualNode(devices, PROGRAMMING, starvation);
        List<Job> waiting = new ArrayList<>();
        node.whenDone = job -> node.at(node.now + random.nextLong(longest), () -> {
            Job next = new Job(job.allocation, job.share, random.nextInt(bitstreams), 1 + random.nextLong(longest));
            waiting.add(next);
            node.submit(next);
        });
        long total = 0;
        int leastShare = 4;
        for (int i = 0; i < clients; i++) {
            int share = 1 << random.nextInt(3);
            total += share;
            leastShare = Math.min(leastShare, share);
            Job first = new Job("client" + i, share, random.nextInt(bitstreams), 1 + random.nextLong(longest));
            node.at(random.nextLong(SECOND), () -> node.submit(first));
        }
        int alive = 1 + random.nextInt(devices);
        for (int i = alive; i < devices; i++) {
            int device = i;
            for (long at = 10; at < 200; at += 20) {
                node.at(at * SECOND, () -> node.fail(device));
                node.at((at + 10) * SECOND, () -> node.heal(device));
            }
        }
        node.run(200 * SECOND);
        // In debt by no more than its last request and what that made it pay.
        long debt = (longest + PROGRAMMING) / leastShare;
        long bound = starvation * devices / alive + (debt * total + 2L * clients * (longest + PROGRAMMING)) / alive
            + longest + 2 * PROGRAMMING;
        assertThat(node.done).isGreaterThan(100);
        assertThat(waiting).filteredOn(job -> !job.ended).allMatch(job -> node.now - job.submitted <= bound);
        assertThat(node.longestWaitNanos).isLessThan(bound);
    }

    @Test
    void shouldDecideTheSameAgain() {
        List<List<String>> logs = new ArrayList<>();
        for (int run = 0; run < 2; run++) {
            VirtualNode node = looping(3);
            for (int i = 0; i < 40; i++) {
                loop(node, "client" + i, 1 + i % 3, i % 7, (1 + i % 5) * MILLI);
            }
            node.run(20 * SECOND);
            logs.add(node.log);
        }
        assertThat(logs.get(0)).isEqualTo(logs.get(1)).hasSizeGreaterThan(1000);
    }

    @Test
    void shouldHoldAtEveryStageOfCancellation() {
        SplittableRandom random = new SplittableRandom(7);
        VirtualNode node = looping(2);
        node.whenDone = job -> { };
        List<Job> jobs = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            Job job = new Job("client" + i % 9, 1, i % 3, MILLI + random.nextLong(5L * MILLI));
            jobs.add(job);
            node.at(random.nextLong(SECOND), () -> node.submit(job));
        }
        List<Job> cancelled = new ArrayList<>();
        for (Job job : jobs) {
            if (random.nextInt(3) == 0) {
                node.at(SECOND + random.nextLong(SECOND), () -> {
                    if (node.policy.remove(job.entry)) {
                        cancelled.add(job);
                    }
                });
            }
        }
        node.run(100 * SECOND);
        assertThat(cancelled).hasSizeGreaterThan(50);
        assertThat(cancelled).noneMatch(job -> job.ended);
        assertThat(node.done).isEqualTo(jobs.size() - cancelled.size());
        assertThat(node.policy.size()).isZero();
    }

    @Test
    void shouldDecideQuicklyForThousandsOfDevicesAndAllocations() {
        VirtualNode node = looping(2_000);
        for (int i = 0; i < 10_000; i++) {
            loop(node, "client" + i, 1 + i % 3, i % 16, (1 + i % 7) * SECOND / 10);
        }
        node.run(8 * SECOND);
        assertThat(node.done).isGreaterThan(20_000);
    }
}
