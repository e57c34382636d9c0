package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.Session;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Keeps requests in flight on one session and writes down what was submitted and how each ended, so that an answer that is
 * missing, wrong, or there twice shows. Each request adds other numbers.
 */
final class Ledger implements AutoCloseable {
    private static final int CAPACITY = 1 << 22; // also keeps sums of floats exact
    static final int IN_FLIGHT = 16;

    private final Session session;
    private final AtomicIntegerArray endings = new AtomicIntegerArray(CAPACITY);
    private final BlockingQueue<Pair> free = new LinkedBlockingQueue<>();
    private final Map<String, AtomicLong> failures = new ConcurrentHashMap<>();
    private final AtomicLong ended = new AtomicLong();
    private final AtomicLong wrong = new AtomicLong();
    private final Thread thread;
    private volatile boolean stopping;
    private volatile int submitted;

    Ledger(Session session) {
        this.session = session;
        for (int i = 0; i < IN_FLIGHT; i++) {
            free.add(new Pair(session));
        }
        thread = new Thread(this::submitUntilStopped, "ledger");
        thread.start();
    }

    private void submitUntilStopped() {
        try {
            for (int id = 0; id < CAPACITY && !stopping; id++) {
                Pair pair = free.take();
                int number = id;
                submitted = id + 1;
                CompletableFuture<Completion> request = pair.add(number, 1);
                request.whenComplete((done, problem) -> end(pair, number, problem));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void end(Pair pair, int number, Throwable problem) {
        endings.incrementAndGet(number);
        if (problem != null) {
            String code = problem instanceof CoralException coral ? coral.code().name() : problem.toString();
            failures.computeIfAbsent(code, name -> new AtomicLong()).incrementAndGet();
        } else if (pair.sum() != number + 1) {
            wrong.incrementAndGet();
        }
        ended.incrementAndGet();
        free.add(pair);
    }

    /** Requests that have ended so far. */
    long ended() {
        return ended.get();
    }

    /** Lets what is in flight end. Empty where every request ended once, with the right sum. */
    String stop() throws InterruptedException {
        stopping = true;
        thread.join();
        for (int i = 0; i < IN_FLIGHT; i++) {
            free.take();
        }
        long once = 0;
        for (int id = 0; id < submitted; id++) {
            once += endings.get(id) == 1 ? 1 : 0;
        }
        boolean right = once == submitted && wrong.get() == 0 && failures.isEmpty();
        return right ? "" : "submitted=" + submitted + ", endedOnce=" + once + ", wrong=" + wrong + ", failures=" + failures;
    }

    @Override
    public void close() {
        session.close();
    }
}
