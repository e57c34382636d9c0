package com.inaccel.coral.engine;

import static com.inaccel.coral.engine.Vectors.TENANT;
import static com.inaccel.coral.engine.Vectors.get;
import static com.inaccel.coral.engine.Vectors.requireFailure;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Completion;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.GatedDevice.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Requests that the thread which brings them may run itself. */
@ExtendWith(Leaks.class)
class LentLaneTest {
    /** So much that a request's cost as first taken is above what is short. */
    private static final int LARGE = 1 << 20;

    private GatedDevice device;
    private Engine engine;
    private EngineSession session;
    private final List<Thread> callers = new ArrayList<>();

    @AfterEach
    void close() throws InterruptedException {
        device.open();
        engine.close();
        for (Thread caller : callers) {
            caller.join();
        }
    }

    private GatedDevice start(Device of) {
        device = new GatedDevice(of);
        engine = Engine.start(EngineConfig.of(Map.of("coral.device.lanes", "1", "coral.device.probe", "1ms")),
            BitstreamStore.builtIn(), List.of(device), 0);
        session = engine.open(TENANT);
        return device;
    }

    private GatedDevice start() {
        start(new HostDevice(1L << 30));
        // The first run may be so slow that the next few are not expected to be short.
        Vectors warm = new Vectors(session, 10, 1);
        Vectors.eventually("a run on the caller's thread", () -> {
            warm.clearOutput();
            get(submitOrRun(warm));
            warm.requireSums();
            return device.runner() == Thread.currentThread();
        });
        return device;
    }

    private CompletableFuture<Completion> submitOrRun(Vectors vectors) {
        return session.submitOrRun(vectors.request().build());
    }

    /** A caller that is held inside of the run, on the device's only lane. */
    private AtomicReference<CompletableFuture<Completion>> heldCaller(Vectors vectors) {
        AtomicReference<CompletableFuture<Completion>> future = new AtomicReference<>();
        device.hold(Step.RUN);
        Thread caller = new Thread(() -> future.set(submitOrRun(vectors)));
        callers.add(caller);
        caller.start();
        device.awaitInside(Step.RUN, 1);
        assertThat(device.runner()).isSameAs(caller);
        return future;
    }

    private static void awaitReturn(AtomicReference<CompletableFuture<Completion>> future) {
        Vectors.eventually("the caller has run it", () -> future.get() != null);
    }

    @Test
    void shouldRunShortRequestsOnTheCallersThread() {
        start();
        long before = engine.stats().devices().get(0).requests();
        Vectors vectors = new Vectors(session, 10, 1);
        for (int i = 0; i < 100; i++) {
            vectors.clearOutput();
            get(submitOrRun(vectors));
            vectors.requireSums();
        }
        assertThat(engine.stats().devices().get(0).requests()).isEqualTo(before + 100);
        assertThat(engine.stats().queueLength()).isZero();
    }

    @Test
    void shouldTakeTurnsWithRequestsOnTheLanesOwnThread() {
        start();
        List<Vectors> all = IntStream.range(0, 200).mapToObj(seed -> new Vectors(session, 10, seed)).toList();
        List<CompletableFuture<Completion>> futures = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            all.get(i).clearOutput();
            futures.add(i % 3 == 0 ? submitOrRun(all.get(i)) : all.get(i).submit());
        }
        futures.forEach(Vectors::get);
        all.forEach(Vectors::requireSums);
        assertThat(device.most(Step.RUN)).isEqualTo(1);
    }

    @Test
    void shouldNotKeepACallerWithARequestThatIsLong() {
        start().hold(Step.RUN);
        CompletableFuture<Completion> future = submitOrRun(new Vectors(session, LARGE, 1));
        assertThat(future).isNotDone();
        device.open();
        get(future);
    }

    @Test
    void shouldNotKeepACallerWhileTheDeviceIsTaken() {
        start().hold(Step.RUN);
        CompletableFuture<Completion> first = new Vectors(session, 10, 1).submit();
        device.awaitInside(Step.RUN, 1);
        CompletableFuture<Completion> second = submitOrRun(new Vectors(session, 10, 2));
        assertThat(second).isNotDone();
        device.open();
        get(first);
        get(second);
    }

    @Test
    void shouldLeaveDevicesToTheirLanesThatDataIsCopiedTo() {
        start(new EmulatedDevice("xilinx-u250-0", "xilinx", "u250", 1 << 20, Duration.ZERO, new HostDevice(1L << 30)));
        get(new Vectors(session, 10, 1).submit()); // programs it
        device.hold(Step.RUN);
        CompletableFuture<Completion> future = submitOrRun(new Vectors(session, 10, 2));
        assertThat(future).isNotDone();
        device.open();
        get(future);
    }

    @Test
    void shouldRunOnTheLaneWhatCameWhileItWasLent() {
        start();
        AtomicReference<CompletableFuture<Completion>> lent = heldCaller(new Vectors(session, 10, 1));
        CompletableFuture<Completion> next = new Vectors(session, 10, 2).submit();
        assertThat(next).isNotDone();
        device.open();
        get(next);
        awaitReturn(lent);
        get(lent.get());
        assertThat(device.most(Step.RUN)).isEqualTo(1);
    }

    @Test
    void shouldBringBackADeviceThatFailsUnderACaller() {
        start().failNext(Step.RUN);
        Vectors vectors = new Vectors(session, 10, 1);
        requireFailure(submitOrRun(vectors), ErrorCode.DEVICE_FAILED);
        vectors.clearOutput();
        get(submitOrRun(vectors));
        get(vectors.submit());
        vectors.requireSums();
        assertThat(engine.stats().devices().get(0).failures()).isEqualTo(1);
    }

    @Test
    void shouldWaitForACallerWhenTheEngineCloses() {
        start();
        AtomicReference<CompletableFuture<Completion>> lent = heldCaller(new Vectors(session, 10, 1));
        Thread closer = new Thread(engine::close);
        callers.add(closer);
        closer.start();
        Vectors.eventually("the engine is closing", () -> !session.isOpen());
        assertThat(closer.isAlive()).isTrue();
        device.open();
        awaitReturn(lent);
    }
}
