package com.inaccel.coral.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class IndexedHeapTest {
    private record Held(long key, long order, int number) { }

    @Test
    void shouldHaveTheLeastKeyFirstWhateverIsSetChangedAndRemoved() {
        SplittableRandom random = new SplittableRandom(5);
        IndexedHeap heap = new IndexedHeap(50);
        Map<Integer, Held> expected = new HashMap<>();
        for (int step = 0; step < 20_000; step++) {
            int number = random.nextInt(50);
            if (random.nextInt(3) == 0) {
                heap.remove(number);
                expected.remove(number);
            } else {
                long key = random.nextLong(20); // many are equal: the first that was set is first
                heap.set(number, key);
                expected.put(number, new Held(key, step, number));
            }
            assertThat(heap.isEmpty()).isEqualTo(expected.isEmpty());
            if (!expected.isEmpty()) {
                Held first = expected.values().stream()
                    .min(Comparator.comparingLong(Held::key).thenComparingLong(Held::order)).orElseThrow();
                assertThat(heap.first()).isEqualTo(first.number());
                assertThat(heap.key(heap.first())).isEqualTo(first.key());
            }
        }
    }

    @Test
    void shouldGrowAndKeepWhatIsThere() {
        IndexedHeap heap = new IndexedHeap(1);
        heap.set(0, 7);
        heap.grow(3);
        heap.set(2, 5);
        assertThat(heap.first()).isEqualTo(2);
        assertThat(heap.contains(1)).isFalse();
        heap.remove(2);
        assertThat(heap.first()).isZero();
    }
}
