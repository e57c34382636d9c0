package com.inaccel.coral.simulator;

import static com.inaccel.coral.simulator.Trial.MILLI;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.simulator.Hardware.Platform;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Scenarios so small that their results can be worked out by hand. */
class VirtualNodeTest {
    private static final long PROGRAMMING = 100 * MILLI;
    private static final int A = 0;
    private static final int B = 1;

    private final List<Long> endings = new ArrayList<>();
    private Trial trial;

    private void node(int devices, int lanes, Function<VirtualNode, Rule> rule) {
        // Copies a byte in a nanosecond, and keeps 20 million of them.
        trial = new Trial(Hardware.uniform(devices, 2, new Platform(PROGRAMMING, 1, 20_000_000, lanes)), rule);
    }

    private Job submit(int accelerator, long millis, int data) {
        Job job = new Job(trial.tenant("a", 1), accelerator, millis * MILLI, millis * MILLI, data, 10_000_000,
            () -> endings.add(trial.events.now() / MILLI));
        trial.node.submit(job);
        return job;
    }

    private Job submit(int accelerator, long millis) {
        return submit(accelerator, millis, Job.NO_DATA);
    }

    private void runAll() {
        while (trial.events.step()) { // all there is
            assertThat(trial.events.now()).isLessThan(100 * Trial.SECOND);
        }
    }

    @Test
    void shouldProgramOnceForEachRunOfTheSameAccelerator() {
        node(1, 1, FirstComeFirstServed::new);
        submit(A, 10);
        submit(A, 10);
        submit(B, 5);
        runAll();
        assertThat(endings).containsExactly(110L, 120L, 225L);
        assertThat(trial.programmings).isEqualTo(2);
    }

    @Test
    void shouldNotReorderWhoComesFirstWhereThePolicyWould() {
        List<Integer> programmings = new ArrayList<>();
        List<Function<VirtualNode, Rule>> rules =
            List.of(FirstComeFirstServed::new, node -> CoralRule.aware(node, 10 * Trial.SECOND));
        for (Function<VirtualNode, Rule> rule : rules) {
            node(1, 1, rule);
            for (int i = 0; i < 4; i++) {
                submit(A, 10);
                submit(B, 10);
            }
            runAll();
            programmings.add(trial.programmings);
        }
        assertThat(programmings).containsExactly(8, 2);
    }

    @Test
    void shouldSendEachRequestToTheDeviceWithTheLeastToDo() {
        node(2, 1, LeastLoaded::new);
        submit(A, 50); // device 0
        submit(A, 10); // device 1, as is the next: 20 are less than 50
        submit(A, 10);
        submit(A, 40); // device 1 still
        submit(A, 1); // device 0: 50 are less than 60
        runAll();
        assertThat(trial.log).containsExactly("0:a:0", "1:a:0", "1:a:0", "1:a:0", "0:a:0");
        assertThat(endings).containsExactly(110L, 120L, 150L, 151L, 160L);
    }

    @Test
    void shouldCopyWhatIsNotResidentAndForgetWhatWasUnusedForLongest() {
        node(1, 1, FirstComeFirstServed::new);
        submit(A, 1, 0); // ends at 100 + 10 + 1
        submit(A, 1, 0); // is there
        submit(A, 1, 1); // another one fits
        submit(A, 1, 0);
        submit(A, 1, 2); // in place of 1
        submit(A, 1, 0);
        submit(A, 1, 1);
        runAll();
        assertThat(endings).containsExactly(111L, 112L, 123L, 124L, 135L, 136L, 147L);
    }

    @Test
    void shouldRunSideBySideOnLanesAndProgramWhenAllHaveEnded() {
        node(1, 2, FirstComeFirstServed::new);
        submit(A, 10);
        submit(A, 30);
        submit(B, 5); // the lane is free at 110, the other one at 130
        submit(B, 5); // beside it
        runAll();
        assertThat(endings).containsExactly(110L, 130L, 235L, 235L);
    }

    @Test
    void shouldRunElsewhereWhatADeviceFailsUnder() {
        node(2, 1, FirstComeFirstServed::new);
        submit(A, 50);
        trial.events.at(120 * MILLI, () -> trial.node.fail(0));
        runAll();
        assertThat(endings).containsExactly(270L); // begins anew at 120
        assertThat(trial.done).isEqualTo(1);
        assertThat(trial.failed).isEmpty();
    }

    @Test
    void shouldFailWhatDevicesFailUnderTwice() {
        node(2, 1, LeastLoaded::new);
        submit(A, 50);
        trial.events.at(120 * MILLI, () -> trial.node.fail(0));
        trial.events.at(130 * MILLI, () -> trial.node.fail(1));
        runAll();
        assertThat(endings).containsExactly(130L);
        assertThat(trial.failed).hasSize(1);
        assertThat(trial.done).isZero();
    }

    @Test
    void shouldFailWhatNoHealthyDeviceCanRunAndGoOnAfterARepair() {
        List<Function<VirtualNode, Rule>> rules = List.of(FirstComeFirstServed::new, LeastLoaded::new,
            node -> CoralRule.aware(node, Trial.SECOND), node -> CoralRule.blind(node, Trial.SECOND));
        for (Function<VirtualNode, Rule> rule : rules) {
            endings.clear();
            node(1, 1, rule);
            submit(A, 50);
            submit(A, 50); // waits
            trial.events.at(20 * MILLI, () -> trial.node.fail(0));
            trial.events.at(30 * MILLI, () -> submit(A, 50));
            trial.events.at(40 * MILLI, () -> trial.node.repair(0));
            trial.events.at(50 * MILLI, () -> submit(B, 50));
            runAll();
            assertThat(endings).containsExactly(20L, 20L, 30L, 200L);
            assertThat(trial.failed).hasSize(3);
            assertThat(trial.node.rule().size()).isZero();
        }
    }

    @Test
    void shouldCancelOnlyWhatWaits() {
        node(1, 1, FirstComeFirstServed::new);
        Job running = submit(A, 10);
        Job waiting = submit(A, 10);
        assertThat(trial.node.cancel(running)).isFalse();
        assertThat(trial.node.cancel(waiting)).isTrue();
        runAll();
        assertThat(endings).containsExactly(110L);
    }
}
