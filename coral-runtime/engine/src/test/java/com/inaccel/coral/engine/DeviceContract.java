package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.Request;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What every device does alike. */
@ExtendWith(Leaks.class)
abstract class DeviceContract {
    private Engine engine;
    private EngineSession session;

    /** Started engine with the device under test. */
    abstract Engine start();

    @BeforeEach
    void open() {
        engine = start();
        session = engine.open(TENANT);
    }

    @AfterEach
    void close() {
        if (engine != null) {
            engine.close();
        }
    }

    @Test
    void shouldAddVectorsOfSealedSegments() {
        try (Vectors vectors = new Vectors(session, 100_003, 1)) {
            Completion completion = vectors.run();
            assertThat(completion.device()).isIn(engine.devices().stream().map(device -> device.id()).toList());
            assertThat(completion.queueNanos()).isNotNegative();
            assertThat(completion.runNanos()).isPositive();
        }
    }

    @Test
    void shouldSeeWhatWasWrittenToUnsealedSegmentsBetweenRequests() {
        try (EngineSegment a = session.allocate(64); EngineSegment c = session.allocate(64)) {
            for (float round = 1; round < 20; round++) {
                a.buffer(0, 64).putFloat(4, round);
                Vectors.get(session.submit(add(a, 0, a, 0, c, 0, 16)));
                assertThat(c.buffer(0, 64).getFloat(4)).isEqualTo(2 * round);
            }
        }
    }

    @Test
    void shouldTakeSlicesAtAnyElement() {
        try (EngineSegment a = session.allocate(4096); EngineSegment c = session.allocate(4096)) {
            for (int i = 0; i < 1024; i++) {
                a.buffer(0, 4096).putFloat(4 * i, i);
                c.buffer(0, 4096).putFloat(4 * i, -1);
            }
            a.seal(4096);
            Vectors.get(session.submit(add(a, 4, a, 44, c, 12, 7)));
            for (int i = 0; i < 1024; i++) {
                float expected = i >= 3 && i < 10 ? (i - 2) + (i + 8) : -1;
                assertThat(c.buffer(0, 4096).getFloat(4 * i)).as("element " + i).isEqualTo(expected);
            }
        }
    }

    @Test
    void shouldLeaveAloneWhatAnAcceleratorDoesNotWriteOfItsResult() {
        try (EngineSegment a = session.allocate(64); EngineSegment c = session.allocate(64)) {
            Vectors.get(session.submit(add(a, 0, a, 0, c, 0, 16))); // its zeros may stay in the device's memory
            for (int i = 0; i < 16; i++) {
                c.buffer(0, 64).putFloat(4 * i, 7);
            }
            Vectors.get(session.submit(Request.of(Vectors.ADD).read(a, 0, 64).read(a, 0, 64).write(c, 0, 64).arg(2).build()));
            for (int i = 0; i < 16; i++) {
                assertThat(c.buffer(0, 64).getFloat(4 * i)).as("element " + i).isEqualTo(i < 2 ? 0 : 7);
            }
        }
    }

    @Test
    void shouldRunWithNothingToDo() {
        try (EngineSegment a = session.allocate(64)) {
            Vectors.get(session.submit(add(a, 0, a, 0, a, 64, 0)));
        }
    }

    @Test
    void shouldRunManyRequestsFromManyThreadsAtOnce() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        List<Throwable> problems = Collections.synchronizedList(new ArrayList<>());
        for (int t = 0; t < 8; t++) {
            int seed = t;
            Thread thread = new Thread(() -> {
                try (Vectors vectors = new Vectors(session, 1000 + seed, seed)) {
                    for (int i = 0; i < 50; i++) {
                        vectors.run();
                    }
                } catch (Throwable e) {
                    problems.add(e);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(problems).isEmpty();
        assertThat(engine.stats().requestsDone()).isEqualTo(400);
    }

    @Test
    void shouldFreeMemoryOfSegmentsClosedWhileRequestsUseThem() {
        List<CompletableFuture<Completion>> futures = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            try (Vectors vectors = new Vectors(session, 10_000, i)) {
                futures.add(vectors.submit());
            }
        }
        futures.forEach(Vectors::get);
        assertThat(engine.stats().usedBytes()).isZero();
        assertThat(engine.stats().devices()).allMatch(device -> device.residentBytes() == 0);
    }

    static Request add(EngineSegment a, long aBytes, EngineSegment b, long bBytes, EngineSegment c, long cBytes, int n) {
        return Request.of(Vectors.ADD).read(a, aBytes, 4L * n).read(b, bBytes, 4L * n).write(c, cBytes, 4L * n).arg(n)
            .build();
    }
}
