package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import com.inaccel.coral.bench.support.ManagerProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicReference;

/** Requests a second of one client that keeps some in flight, on a manager's host device. */
final class Rate {
    static final int IN_FLIGHT = 16;
    private static final double WARM_UP_PART = 0.5;

    private Rate() { }

    static Map<String, Object> measure(Path scratch, double seconds) throws IOException, InterruptedException {
        try (ManagerProcess manager = ManagerProcess.start(scratch.resolve("rate"), List.of("--devices", "host"));
                Session session = Coral.open(manager.address())) {
            run(session, seconds * WARM_UP_PART);
            double rate = run(session, seconds);
            System.out.printf("%d in flight on the host device: %,.0f requests a second%n%n", IN_FLIGHT, rate);
            return Map.of("inFlight", IN_FLIGHT, "requestsPerSecond", rate);
        }
    }

    private static double run(Session session, double seconds) throws InterruptedException {
        BlockingQueue<Pair> free = new LinkedBlockingQueue<>();
        List<Pair> all = new ArrayList<>();
        for (int i = 0; i < IN_FLIGHT; i++) {
            all.add(new Pair(session));
        }
        free.addAll(all);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        long start = System.nanoTime();
        long end = start + (long) (seconds * 1e9);
        int submitted = 0;
        while (System.nanoTime() < end && failure.get() == null) {
            Pair pair = free.take();
            int b = submitted++ & 0xffff;
            pair.add(1, b).whenComplete((done, problem) -> {
                if (problem != null || pair.sum() != b + 1) {
                    failure.set(problem != null ? problem : new IllegalStateException("wrong sum: expected=" + (b + 1)));
                }
                free.add(pair);
            });
        }
        for (int i = 0; i < IN_FLIGHT; i++) {
            free.take();
        }
        double took = (System.nanoTime() - start) / 1e9;
        all.forEach(Pair::close);
        if (failure.get() != null) {
            throw new IllegalStateException("request failed", failure.get());
        }
        return submitted / took;
    }
}
