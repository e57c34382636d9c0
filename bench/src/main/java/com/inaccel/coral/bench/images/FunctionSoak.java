package com.inaccel.coral.bench.images;

import com.inaccel.coral.bench.support.ManagerProcess;
import com.inaccel.coral.functions.local.LocalFunction;
import com.inaccel.coral.functions.local.LocalS3;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import me.tongfei.progressbar.ProgressBar;

/**
 * Small images through events, each sent until it is answered well, some of them twice, while the store fails, the function is
 * killed and the manager is killed. Fails unless there is exactly one result of each image, the right one, and nothing is left
 * over.
 */
final class FunctionSoak {
    private static final String BUCKET = "soak";
    private static final int SENDERS = 8;
    private static final double TWICE = 0.05;
    private static final int MOST_TOLD = 5;
    private static final int PICTURES = 16;
    private static final int WIDTH = 48;
    private static final int HEIGHT = 32;
    private static final long PAUSE_MILLIS = 50;
    private static final long GIVE_UP_SECONDS = 120;
    private static final String EVENT = "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"" + BUCKET
        + "\"},\"object\":{\"key\":\"%s\"}}}]}";

    private final Path scratch;
    private final int images;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicInteger answered = new AtomicInteger();
    private volatile URI address;
    private ManagerProcess manager;
    private LocalFunction function;

    private FunctionSoak(Path scratch, int images) {
        this.scratch = scratch;
        this.images = images;
    }

    /** @return whether nothing was lost, doubled or left over */
    static boolean run(Path scratch, int images, int functionKills, int managerKills, Map<String, Object> figures)
            throws IOException, InterruptedException, ExecutionException {
        return new FunctionSoak(scratch, images).run(functionKills, managerKills, figures);
    }

    private boolean run(int functionKills, int managerKills, Map<String, Object> figures)
            throws IOException, InterruptedException, ExecutionException {
        try (LocalS3 s3 = LocalS3.start(FunctionCalls.home(), Files.createDirectory(scratch.resolve("s3")));
                FaultyNetwork network = new FaultyNetwork(s3.endpoint())) {
            manager = startManager();
            function = startFunction(network);
            s3.createBucket(BUCKET);
            upload(s3);
            long start = System.nanoTime();
            List<Future<?>> senders = send();
            kill(network, functionKills, managerKills);
            for (Future<?> sender : senders) {
                sender.get();
            }
            figures.put("images", images);
            figures.put("seconds", (System.nanoTime() - start) / 1e9);
            figures.put("eventsSent", sent.get());
            figures.put("eventsSentAgain", refused.get());
            figures.put("storeFaults", network.faults());
            figures.put("functionKills", functionKills);
            figures.put("managerKills", managerKills);
            String verdict = verdict(s3);
            figures.put("verdict", verdict.isEmpty() ? "each image once, nothing left over" : verdict);
            System.out.println("soak: " + figures);
            return verdict.isEmpty();
        } finally {
            if (function != null) {
                function.close();
            }
            if (manager != null) {
                manager.close();
            }
        }
    }

    private ManagerProcess startManager() throws IOException, InterruptedException {
        return ManagerProcess.start(scratch.resolve("node"),
            List.of("--emulate", "xilinx/u250:2", "--emulate-programming", "20ms", "--metrics", "127.0.0.1:0"));
    }

    private LocalFunction startFunction(FaultyNetwork network) throws IOException {
        LocalFunction started = LocalFunction.start(FunctionCalls.home(), manager.address(),
            Map.of("FUNCTION_S3_ENDPOINT", network.endpoint().toString(), "FUNCTION_LINGER", "0s", "FUNCTION_TIMEOUT", "20s"),
            "-Xmx256m");
        address = started.address();
        return started;
    }

    private void upload(LocalS3 s3) throws IOException {
        List<byte[]> pictures = new ArrayList<>();
        for (int i = 0; i < PICTURES; i++) {
            pictures.add(FunctionCalls.picture(WIDTH, HEIGHT, BufferedImage.TYPE_3BYTE_BGR, "png", i));
        }
        try (ProgressBar bar = new ProgressBar("uploaded", images)) {
            for (int i = 0; i < images; i++) {
                s3.put(BUCKET, key(i), pictures.get(i % PICTURES));
                bar.step();
            }
        }
    }

    private static String key(int image) {
        return String.format("in/%06d.png", image);
    }

    private List<Future<?>> send() {
        ExecutorService threads = Executors.newFixedThreadPool(SENDERS);
        AtomicInteger next = new AtomicInteger();
        List<Future<?>> senders = new ArrayList<>();
        for (int i = 0; i < SENDERS; i++) {
            senders.add(threads.submit(() -> {
                for (int image = next.getAndIncrement(); image < images; image = next.getAndIncrement()) {
                    deliver(key(image));
                    if (ThreadLocalRandom.current().nextDouble() < TWICE) {
                        deliver(key(image));
                    }
                    answered.incrementAndGet();
                }
                return null;
            }));
        }
        threads.shutdown();
        return senders;
    }

    /** At least once, as every broker of events does it. */
    private void deliver(String key) throws InterruptedException {
        long deadline = System.nanoTime() + GIVE_UP_SECONDS * 1_000_000_000L;
        byte[] event = EVENT.formatted(key).getBytes(StandardCharsets.UTF_8);
        while (true) {
            sent.incrementAndGet();
            try {
                HttpResponse<byte[]> answer = FunctionCalls.post(address, "", event, "application/json");
                if (answer.statusCode() == 200) {
                    return;
                }
            } catch (IOException killed) {
                // is sent again, like what was refused
            }
            refused.incrementAndGet();
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("no answer in time: key=" + key + ", seconds=" + GIVE_UP_SECONDS);
            }
            Thread.sleep(PAUSE_MILLIS);
        }
    }

    /** Evenly over the run, the one and the other in turn. */
    private void kill(FaultyNetwork network, int functionKills, int managerKills) throws IOException, InterruptedException {
        int kills = functionKills + managerKills;
        try (ProgressBar bar = new ProgressBar("processed", images)) {
            int functions = 0;
            for (int kill = 1; kill <= kills; kill++) {
                awaitAnswered((int) ((long) images * kill / (kills + 1)), bar);
                if (functions < functionKills && (kill % 2 == 1 || kill - functions > managerKills)) {
                    functions++;
                    function.kill();
                    function = startFunction(network);
                } else {
                    manager.kill();
                    manager = startManager();
                }
            }
            awaitAnswered(images, bar);
        }
    }

    private void awaitAnswered(int count, ProgressBar bar) throws InterruptedException {
        long deadline = System.nanoTime() + 2 * GIVE_UP_SECONDS * 1_000_000_000L;
        int before = answered.get();
        while (answered.get() < count) {
            Thread.sleep(PAUSE_MILLIS);
            if (answered.get() > before) {
                before = answered.get();
                deadline = System.nanoTime() + 2 * GIVE_UP_SECONDS * 1_000_000_000L;
            } else if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("no image was processed for long: processed=" + before + ", of=" + images);
            }
            bar.stepTo(before);
        }
    }

    /** What is wrong; empty where nothing is. */
    private String verdict(LocalS3 s3) throws IOException, InterruptedException {
        Set<String> expected = new TreeSet<>();
        for (int i = 0; i < images; i++) {
            expected.add(key(i));
            expected.add("processed/edges/" + key(i));
        }
        List<String> there = s3.keys(BUCKET, "");
        List<String> wrong = new ArrayList<>();
        Set<String> missing = new TreeSet<>(expected);
        missing.removeAll(new HashSet<>(there));
        if (!missing.isEmpty() || there.size() != expected.size()) {
            wrong.add("objects=" + there.size() + ", expected=" + expected.size() + ", missing=" + missing.size());
        }
        there.stream().filter(key -> !expected.contains(key)).limit(MOST_TOLD).forEach(key -> wrong.add("not expected: key="
            + key + ", object=" + new String(s3.get(BUCKET, key), StandardCharsets.UTF_8)));
        wrong.addAll(differing(s3));
        double connections = FunctionCalls.metric(address, "process_open_fds");
        double memory = manager.metric("coral_shared_memory_used_bytes");
        function.close();
        function = null;
        long deadline = System.nanoTime() + 10_000_000_000L;
        while (manager.metric("coral_segments") > 0 && System.nanoTime() - deadline < 0) {
            Thread.sleep(PAUSE_MILLIS);
        }
        if (manager.metric("coral_segments") > 0 || manager.metric("coral_sessions") > 0) {
            wrong.add("segments=" + manager.metric("coral_segments") + ", sessions=" + manager.metric("coral_sessions"));
        }
        Map<String, Object> held = new LinkedHashMap<>();
        held.put("functionDescriptors", connections);
        held.put("sharedMemoryBytes", memory);
        System.out.println("held at the end: " + held);
        if (connections > 200) {
            wrong.add("the function has descriptors left: " + connections);
        }
        return String.join("; ", wrong);
    }

    /** Equal images have equal results, whatever went wrong on the way. */
    private List<String> differing(LocalS3 s3) {
        List<String> wrong = new ArrayList<>();
        List<String> first = new ArrayList<>();
        for (int i = 0; i < images; i++) {
            String etag = s3.etag(BUCKET, "processed/edges/" + key(i));
            if (i < PICTURES) {
                first.add(etag);
            } else if (!first.get(i % PICTURES).equals(etag)) {
                wrong.add("another result: key=" + key(i));
            }
        }
        return wrong.subList(0, Math.min(wrong.size(), MOST_TOLD));
    }
}
