package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.failure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.SharedMemory.Account;
import com.inaccel.coral.protocol.SealedMemory;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Leaks.class)
class SharedMemoryTest {
    private static final long PAGE = SealedMemory.PAGE_BYTES;
    private static final long IDLE = 10_000;
    private static final int SEGMENTS = 3;

    private long now;
    private final SharedMemory shared = new SharedMemory(100 * PAGE, SEGMENTS, 8, 3, 50 * PAGE, IDLE, () -> now);
    private final Account a = shared.join(new Allocation("a", 60 * PAGE, 1));
    private final Account b = shared.join(new Allocation("b", 60 * PAGE, 1));

    @AfterEach
    void close() {
        shared.close();
        assertThat(shared.usedBytes()).isZero();
        assertThat(shared.pooledBytes()).isZero();
    }

    private void release(Account account, SealedMemory memory) {
        shared.release(account, memory, memory.sizeBytes());
    }

    @Test
    void shouldRefuseMoreThanTheQuotaAndKeepWhatIsThere() {
        SealedMemory first = shared.acquire(a, 50 * PAGE);
        CoralException refusal = failure(() -> shared.acquire(a, 11 * PAGE));
        assertThat(refusal.code()).isEqualTo(ErrorCode.QUOTA_EXCEEDED);
        assertThat(refusal.getMessage()).contains("allocation=a", "requestedBytes=" + 11 * PAGE,
            "freeBytes=" + 10 * PAGE, "limitBytes=" + 60 * PAGE);
        SealedMemory second = shared.acquire(a, 10 * PAGE);
        assertThat(shared.usedBytes()).isEqualTo(60 * PAGE);
        release(a, first);
        release(a, second);
    }

    @Test
    void shouldRefuseMoreThanTheLimitOfAll() {
        SealedMemory first = shared.acquire(a, 60 * PAGE);
        SealedMemory second = shared.acquire(b, 30 * PAGE);
        CoralException refusal = failure(() -> shared.acquire(b, 20 * PAGE));
        assertThat(refusal.code()).isEqualTo(ErrorCode.SHARED_MEMORY_EXHAUSTED);
        assertThat(refusal.getMessage()).contains("requestedBytes=" + 20 * PAGE, "freeBytes=" + 10 * PAGE,
            "limitBytes=" + 100 * PAGE);
        release(a, first);
        release(b, second);
    }

    @Test
    void shouldReuseFreedMemoryWithinTheAllocation() {
        SealedMemory memory = shared.acquire(a, 20 * PAGE);
        memory.buffer(0, 8).putLong(0, 42);
        release(a, memory);
        assertThat(shared.usedBytes()).isZero();
        assertThat(shared.pooledBytes()).isEqualTo(20 * PAGE);
        SealedMemory reused = shared.acquire(a, 19 * PAGE);
        assertThat(reused).isSameAs(memory);
        assertThat(shared.usedBytes()).isEqualTo(20 * PAGE);
        release(a, reused);
    }

    @Test
    void shouldNeverHandFreedMemoryToAnotherAllocation() {
        SealedMemory memory = shared.acquire(a, 20 * PAGE);
        memory.buffer(0, 8).putLong(0, 42);
        release(a, memory);
        SealedMemory other = shared.acquire(b, 20 * PAGE);
        assertThat(other).isNotSameAs(memory);
        assertThat(other.buffer(0, 8).getLong(0)).isZero();
        release(b, other);
    }

    @Test
    void shouldNotWasteMuchLargerMemoryOnSmallSegments() {
        release(a, shared.acquire(a, 20 * PAGE));
        SealedMemory small = shared.acquire(a, 2 * PAGE);
        assertThat(small.sizeBytes()).isEqualTo(2 * PAGE);
        release(a, small);
    }

    @Test
    void shouldGiveBackIdleMemory() {
        release(a, shared.acquire(a, 20 * PAGE));
        now += IDLE - 1;
        shared.expire();
        assertThat(shared.pooledBytes()).isEqualTo(20 * PAGE);
        now++;
        shared.expire();
        assertThat(shared.pooledBytes()).isZero();
        assertThat(SealedMemory.liveCount()).isZero();
    }

    @Test
    void shouldLetThePoolYieldToTheQuota() {
        release(a, shared.acquire(a, 40 * PAGE));
        SealedMemory memory = shared.acquire(a, 60 * PAGE);
        assertThat(shared.pooledBytes()).isZero();
        release(a, memory);
    }

    @Test
    void shouldLetAllPoolsYieldToTheLimit() {
        release(a, shared.acquire(a, 50 * PAGE));
        SealedMemory memory = shared.acquire(b, 60 * PAGE);
        assertThat(shared.usedBytes() + shared.pooledBytes()).isLessThanOrEqualTo(100 * PAGE);
        release(b, memory);
    }

    @Test
    void shouldKeepThePoolWithinItsLimit() {
        SealedMemory first = shared.acquire(a, 30 * PAGE);
        SealedMemory second = shared.acquire(b, 30 * PAGE);
        release(a, first);
        release(b, second);
        assertThat(shared.pooledBytes()).isEqualTo(30 * PAGE);
        assertThat(first.isClosed()).isTrue();
    }

    @Test
    void shouldChargeOnlyWhatATrimKeeps() {
        SealedMemory memory = shared.acquire(a, 60 * PAGE);
        memory.trim(40 * PAGE);
        shared.trimmed(a, 20 * PAGE);
        assertThat(shared.usedBytes()).isEqualTo(40 * PAGE);
        SealedMemory more = shared.acquire(a, 20 * PAGE);
        shared.release(a, memory, 40 * PAGE);
        release(a, more);
    }

    @Test
    void shouldChargeTrimmedMemoryInFullWhenItIsReused() {
        SealedMemory memory = shared.acquire(a, 40 * PAGE);
        shared.trimmed(a, 10 * PAGE);
        shared.release(a, memory, 30 * PAGE);
        SealedMemory reused = shared.acquire(a, 40 * PAGE);
        assertThat(reused).isSameAs(memory);
        assertThat(shared.usedBytes()).isEqualTo(40 * PAGE);
        release(a, reused);
    }

    @Test
    void shouldLimitTheNumberOfSegments() {
        for (int i = 0; i < SEGMENTS; i++) {
            release(a, shared.acquire(a, (1 + 4 * i) * PAGE));
        }
        List<SealedMemory> held = new ArrayList<>();
        for (int i = 0; i < SEGMENTS; i++) {
            held.add(shared.acquire(a, 3 * PAGE));
        }
        assertThat(SealedMemory.liveCount()).as("what is pooled yields").isEqualTo(SEGMENTS);
        CoralException refusal = failure(() -> shared.acquire(a, PAGE));
        assertThat(refusal.code()).isEqualTo(ErrorCode.QUOTA_EXCEEDED);
        assertThat(refusal.getMessage()).contains("segments=3", "limit=3");
        held.forEach(memory -> release(a, memory));
    }

    @Test
    void shouldKeepWhatWasGrantedFromEverybodyElse() {
        Allocation granted = new Allocation("granted", 50 * PAGE, 1);
        shared.grant(granted);
        shared.grant(granted);
        SealedMemory first = shared.acquire(a, 50 * PAGE);
        CoralException refusal = failure(() -> shared.acquire(b, PAGE));
        assertThat(refusal.code()).isEqualTo(ErrorCode.SHARED_MEMORY_EXHAUSTED);
        assertThat(refusal.getMessage()).contains("requestedBytes=" + PAGE, "freeBytes=0");
        Account account = shared.join(granted);
        SealedMemory second = shared.acquire(account, 50 * PAGE);
        release(account, second);
        shared.leave(account);
        shared.revoke(granted);
        shared.revoke(granted);
        assertThat(shared.pooledBytes()).as("its pool goes with it").isZero();
        release(b, shared.acquire(b, PAGE));
        release(a, first);
    }

    @Test
    void shouldNotReuseMemoryThatWouldGrowIntoWhatWasGranted() {
        SealedMemory trimmed = shared.acquire(a, 50 * PAGE);
        shared.trimmed(a, 30 * PAGE);
        shared.release(a, trimmed, 20 * PAGE);
        Allocation granted = new Allocation("granted", 58 * PAGE, 1);
        shared.grant(granted);
        SealedMemory memory = shared.acquire(a, 40 * PAGE);
        assertThat(memory.sizeBytes()).isEqualTo(40 * PAGE);
        release(a, memory);
        shared.revoke(granted);
    }

    @Test
    void shouldGrantNoMoreThanThereIs() {
        shared.grant(new Allocation("first", 90 * PAGE, 1));
        CoralException refusal = failure(() -> shared.grant(new Allocation("second", 11 * PAGE, 1)));
        assertThat(refusal.code()).isEqualTo(ErrorCode.QUOTA_EXCEEDED);
        assertThat(refusal.getMessage()).contains("allocation=second", "requestedBytes=" + 11 * PAGE,
            "freeBytes=" + 10 * PAGE, "limitBytes=" + 100 * PAGE);
        shared.grant(new Allocation("second", PAGE, 1));
        shared.grant(new Allocation("third", PAGE, 1));
        assertThat(failure(() -> shared.grant(new Allocation("fourth", PAGE, 1))).getMessage())
            .contains("too many allocations", "limit=3", "coral.allocations");
        assertThat(failure(() -> shared.grant(new Allocation("third", 2 * PAGE, 1))).code())
            .isEqualTo(ErrorCode.INVALID_ARGUMENT);
    }

    @Test
    void shouldKeepSegmentsForAllocationsThatHaveNoneYet() {
        // 8 for all, of which each of 4 is sure of 1, and 4 are for whoever comes first; 3 at most for one.
        List<SealedMemory> ofA = List.of(shared.acquire(a, PAGE), shared.acquire(a, PAGE), shared.acquire(a, PAGE));
        List<SealedMemory> ofB = List.of(shared.acquire(b, PAGE), shared.acquire(b, PAGE), shared.acquire(b, PAGE));
        Account late = shared.join(new Allocation("late", 60 * PAGE, 1));
        SealedMemory reserved = shared.acquire(late, PAGE);
        CoralException refusal = failure(() -> shared.acquire(late, PAGE));
        assertThat(refusal.code()).isEqualTo(ErrorCode.SHARED_MEMORY_EXHAUSTED);
        assertThat(refusal.getMessage()).contains("allocation=late", "segments=1", "limitOfAll=8");
        release(a, ofA.get(0));
        SealedMemory another = shared.acquire(late, PAGE);
        List.of(reserved, another).forEach(memory -> release(late, memory));
        ofA.subList(1, 3).forEach(memory -> release(a, memory));
        ofB.forEach(memory -> release(b, memory));
        assertThat(SealedMemory.liveCount()).as("pooled, within the limit of all").isLessThanOrEqualTo(8);
    }

    @Test
    void shouldForgetAnAllocationThatHoldsNothing() {
        assertThat(shared.leave(b)).isTrue();
        Account again = shared.join(new Allocation("b", PAGE, 7));
        assertThat(again).isNotSameAs(b);
    }

    @Test
    void shouldRefuseAnotherGrantUnderANameInUse() {
        CoralException refusal = failure(() -> shared.join(new Allocation("a", PAGE, 1)));
        assertThat(refusal.code()).isEqualTo(ErrorCode.INVALID_ARGUMENT);
    }
}
