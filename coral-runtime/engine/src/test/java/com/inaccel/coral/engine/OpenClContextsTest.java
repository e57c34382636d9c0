package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jocl.cl_context;
import org.junit.jupiter.api.Test;

/** Devices of engines that start and close side by side, each on threads of its own. */
class OpenClContextsTest {
    private static final int THREADS = 4;
    private static final int ROUNDS = 200;
    private static final int CONTEXTS = 50; // of a thread at once

    /** JOCL does not bear it by itself: without the lock the JVM crashes here, nearly always. */
    @Test
    void shouldOpenAndCloseOnManyThreadsAtOnce() throws InterruptedException, ExecutionException {
        OpenCl.Found found = OpenClDeviceTest.device();
        long before = ClHandle.liveCount();
        CyclicBarrier together = new CyclicBarrier(THREADS);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> ended = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                ended.add(threads.submit(() -> openAndClose(found, together)));
            }
            for (Future<?> each : ended) {
                each.get();
            }
        } finally {
            threads.shutdown();
        }
        assertThat(ClHandle.liveCount()).isEqualTo(before);
    }

    private static Void openAndClose(OpenCl.Found found, CyclicBarrier together) throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            List<ClHandle<cl_context>> contexts = new ArrayList<>();
            for (int i = 0; i < CONTEXTS; i++) {
                contexts.add(OpenCl.context(found));
            }
            together.await();
            contexts.forEach(ClHandle::close);
        }
        return null;
    }
}
