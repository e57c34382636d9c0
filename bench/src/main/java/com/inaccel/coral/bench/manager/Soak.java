package com.inaccel.coral.bench.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.bench.support.ChildJvm;
import com.inaccel.coral.bench.support.ManagerProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import me.tongfei.progressbar.ProgressBar;

/**
 * What a manager has to survive: clients that come and go, clients that are killed, and being killed itself, each beside
 * clients that keep a ledger of their requests. Fails where an answer is lost, wrong or doubled, or something leaks.
 */
final class Soak {
    private static final int WITNESSES = 2;
    private static final int PARALLEL = 4;
    private static final int PARALLEL_JVMS = 2;
    private static final long LONGEST_LIFE_MILLIS = 50;
    private static final long SPARE_THREADS = 8;
    private static final long ANSWERS_BETWEEN_KILLS = 500;
    private static final long PATIENCE_SECONDS = 60;

    private final Path root;
    private final Random random;
    private final Map<String, Object> figures = new LinkedHashMap<>();
    private boolean passed = true;
    private ManagerProcess manager;

    private Soak(Path root, long seed) {
        this.root = root;
        this.random = new Random(seed);
    }

    /** @return whether nothing was lost */
    static boolean run(Path scratch, int connects, int clientKills, int managerKills, long seed, Map<String, Object> figures)
            throws IOException, InterruptedException, ExecutionException {
        Soak soak = new Soak(scratch.resolve("soak"), seed);
        try {
            soak.manager = soak.startManager();
            soak.watched("connects and disconnects", connects, PARALLEL, soak::connect);
            soak.watched("clients killed", clientKills, PARALLEL_JVMS, soak::killClient);
            soak.killManagers(managerKills);
        } finally {
            if (soak.manager != null) {
                soak.manager.close();
            }
        }
        figures.putAll(soak.figures);
        return soak.passed;
    }

    private interface Step {
        void run() throws IOException, InterruptedException;
    }

    private ManagerProcess startManager() throws IOException, InterruptedException {
        return ManagerProcess.start(root, List.of("--emulate", "xilinx/u250:2", "--emulate-programming", "20ms"));
    }

    /** Repeats the step, beside clients with ledgers, and holds what the manager holds afterwards against what it held before. */
    private void watched(String what, int times, int parallel, Step step)
            throws IOException, InterruptedException, ExecutionException {
        step.run(); // whatever is made once, is made now
        List<Ledger> witnesses = witnesses();
        awaitAnswers(witnesses); // every device has its working memory then
        Holdings before = Holdings.of(manager.pid());
        long start = System.nanoTime();
        repeat(what, times, parallel, step);
        double seconds = (System.nanoTime() - start) / 1e9;
        Holdings after = before.awaitNoMoreThan(manager.pid(), SPARE_THREADS);
        report(what, times, seconds, close(witnesses), before, after);
    }

    private static void repeat(String what, int times, int parallel, Step step)
            throws InterruptedException, ExecutionException {
        ExecutorService threads = Executors.newFixedThreadPool(parallel);
        try (ProgressBar bar = new ProgressBar(what, times)) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                running.add(threads.submit(() -> {
                    step.run();
                    bar.step();
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private void connect() {
        Coral.open(manager.address()).close();
    }

    /** Killed at some moment after its first requests were sent. */
    private void killClient() throws IOException, InterruptedException {
        Process client = ChildJvm.leashed(DoomedClient.class.getName(),
            List.of("-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx64m"), List.of(manager.address()))
            .redirectErrorStream(true).start();
        try {
            BufferedReader output = client.inputReader();
            String line = output.readLine();
            if (!DoomedClient.READY.equals(line)) {
                throw new IllegalStateException("client did not come up: output=" + line);
            }
            TimeUnit.MILLISECONDS.sleep(random.nextLong(LONGEST_LIFE_MILLIS));
        } finally {
            client.destroyForcibly().waitFor();
        }
    }

    /** The clients' sessions outlive every one of the managers. */
    private void killManagers(int times) throws IOException, InterruptedException {
        String what = "managers killed";
        List<Ledger> witnesses = witnesses();
        long start = System.nanoTime();
        try (ProgressBar bar = new ProgressBar(what, times)) {
            for (int i = 0; i < times; i++) {
                awaitAnswers(witnesses);
                manager.kill();
                manager = startManager();
                bar.step();
            }
        }
        awaitAnswers(witnesses);
        double seconds = (System.nanoTime() - start) / 1e9;
        Holdings with = Holdings.of(manager.pid());
        String lost = close(witnesses);
        Holdings none = new Holdings(with.descriptors(), with.segments() - WITNESSES * Ledger.IN_FLIGHT, with.threads());
        report(what, times, seconds, lost, none, none.awaitNoMoreThan(manager.pid(), SPARE_THREADS));
    }

    private List<Ledger> witnesses() {
        List<Ledger> witnesses = new ArrayList<>();
        for (int i = 0; i < WITNESSES; i++) {
            witnesses.add(new Ledger(Coral.open(manager.address())));
        }
        return witnesses;
    }

    private static void awaitAnswers(List<Ledger> witnesses) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        for (Ledger witness : witnesses) {
            long enough = witness.ended() + ANSWERS_BETWEEN_KILLS;
            while (witness.ended() < enough) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException("no answers any more: ended=" + witness.ended() + ", waitedSeconds="
                        + PATIENCE_SECONDS);
                }
                TimeUnit.MILLISECONDS.sleep(1);
            }
        }
    }

    /** Empty where all answers are right. */
    private static String close(List<Ledger> witnesses) throws InterruptedException {
        StringBuilder lost = new StringBuilder();
        for (Ledger witness : witnesses) {
            lost.append(witness.stop());
            witness.close();
        }
        return lost.toString();
    }

    private void report(String what, int times, double seconds, String lost, Holdings before, Holdings after) {
        boolean leaks = !after.isNoMoreThan(before, SPARE_THREADS);
        passed &= lost.isEmpty() && !leaks;
        String verdict = (lost.isEmpty() ? "every request of the others ended once, with the right sum" : "WRONG: " + lost)
            + (leaks ? "; LEAKS: before: " + before + ", after: " + after : "; no leak (" + after + ")");
        System.out.printf("%,d %s in %.0f s: %s%n", times, what, seconds, verdict);
        figures.put(what, Map.of("times", times, "seconds", seconds, "verdict", verdict));
    }
}
