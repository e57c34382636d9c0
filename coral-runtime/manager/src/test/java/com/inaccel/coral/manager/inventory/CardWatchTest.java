package com.inaccel.coral.manager.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.manager.Leaks;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Drivers that do not answer. */
@Timeout(60)
class CardWatchTest {
    private static final String STUCK = "0000:3b:00";

    @TempDir
    Path root;

    private final AtomicReference<CountDownLatch> gate = new AtomicReference<>(new CountDownLatch(0));

    @BeforeEach
    void prepare() throws IOException {
        new FakeSysfs(root).alveo(STUCK, 0x5005, "xilinx_u250_gen3x16_xdma_shell_4_1", 0)
            .alveo("0000:af:00", 0x505d, "xilinx_u55c_gen3x16_xdma_base_3", 1);
    }

    @AfterEach
    void nothingIsLeft() {
        Leaks.assertNone();
    }

    private void pass(String slot) {
        if (slot.equals(STUCK)) {
            try {
                gate.get().await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    @Test
    void shouldWaitForNoCardThatIsStuckAndKeepWhatItKnowsOfTheOthers() {
        CardWatch watch = CardWatch.of(root, this::pass, Duration.ofSeconds(30));
        assertThat(watch.cards()).hasSize(2).allMatch(Card::isWell);
        CountDownLatch closed = new CountDownLatch(1);
        gate.set(closed);
        CardWatch impatient = CardWatch.of(root, this::pass, Duration.ofMillis(1));
        assertThat(impatient.cards()).as("nothing is known yet").isEmpty();
        closed.countDown();
        Leaks.await("all answer", Duration.ofSeconds(30), () -> impatient.cards().size() == 2);
        CountDownLatch again = new CountDownLatch(1);
        gate.set(again);
        for (int i = 0; i < 3; i++) {
            Leaks.await("it is known to be stuck", Duration.ofSeconds(30), () -> !impatient.cards().get(0).isWell());
            assertThat(impatient.cards().get(0).problem()).contains("does not answer");
            assertThat(impatient.cards().get(1).isWell()).as("the other").isTrue();
        }
        again.countDown();
        Leaks.await("it answers again", Duration.ofSeconds(30), () -> impatient.cards().stream().allMatch(Card::isWell));
    }
}
