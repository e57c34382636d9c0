package com.inaccel.coral.bench.manager;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** What a process holds of the system, as {@code /proc} says. */
record Holdings(long descriptors, long segments, long threads) {
    private static final long PATIENCE_SECONDS = 60;
    private static final long PAUSE_MILLIS = 200;

    static Holdings of(long pid) throws IOException {
        Path process = Path.of("/proc", Long.toString(pid));
        List<String> open = targets(process.resolve("fd"));
        try (Stream<Path> threads = Files.list(process.resolve("task"))) {
            return new Holdings(open.size(), open.stream().filter(target -> target.contains("memfd:coral")).count(),
                threads.count());
        }
    }

    private static List<String> targets(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(Holdings::target).filter(target -> !target.isEmpty()).toList();
        }
    }

    private static String target(Path entry) {
        try {
            return Files.readSymbolicLink(entry).toString();
        } catch (NoSuchFileException closed) {
            return "";
        } catch (IOException e) {
            return e.toString();
        }
    }

    /**
     * Waits until the process holds no more than before. Memory that was freed is kept for reuse for a while, and a JVM's own
     * threads come and go by a few.
     */
    Holdings awaitNoMoreThan(long pid, long spareThreads) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        Holdings now = of(pid);
        while ((now.descriptors > descriptors || now.segments > segments || now.threads > threads + spareThreads)
                && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
            now = of(pid);
        }
        return now;
    }

    boolean isNoMoreThan(Holdings before, long spareThreads) {
        return descriptors <= before.descriptors && segments <= before.segments && threads <= before.threads + spareThreads;
    }

    @Override
    public String toString() {
        return "descriptors=" + descriptors + ", segments=" + segments + ", threads=" + threads;
    }
}
