package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.protocol.SealedMemory;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that say everything that the protocol has, and much that it has not, in every order, beside one that works.
 *
 * <p>{@code -Dfuzz.seconds=600} does it for longer, {@code -Dfuzz.seed=N} the same once more, but for what
 * the threads' timing changes.
 */
class ProtocolFuzzTest {
    private static final int CLIENTS = 2;

    @TempDir
    Path root;

    @Test
    void shouldServeOthersAndLeakNothingWhateverAClientSays() throws Exception {
        long seconds = Long.getLong("fuzz.seconds", 30);
        long seed = Long.getLong("fuzz.seed", System.nanoTime());
        System.out.println("fuzzing: fuzz.seed=" + seed + ", fuzz.seconds=" + seconds);
        ByteArrayOutputStream errors = new ByteArrayOutputStream();
        PrintStream terminal = System.err;
        System.setErr(new PrintStream(new ErrorLines(errors), true, StandardCharsets.UTF_8));
        try {
            long sockets = Leaks.sockets();
            fuzz(seed, seconds);
            Leaks.assertNone();
            Leaks.await("sockets are closed", Duration.ofSeconds(5), () -> Leaks.sockets() <= sockets);
        } finally {
            System.setErr(terminal);
        }
        assertThat(errors.toString(StandardCharsets.UTF_8)).as("seed " + seed).isEmpty();
    }

    private void fuzz(long seed, long seconds) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        try (Engine engine = Engine.start(EngineConfig.of(Map.of("coral.devices", "host")));
                Manager manager = Manager.start(engine, root, new Allocation("node", 64 << 20, 1), Limits.defaults())) {
            Path door = Path.of(manager.allocate(new Allocation("hostile", 1 << 20, 1)).substring("unix:".length()));
            HostileClientTest.Bystander bystander =
                new HostileClientTest.Bystander(manager.allocate(new Allocation("good", 1 << 20, 1)));
            List<CompletableFuture<Map<String, Integer>>> clients = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                ProtocolFuzzer fuzzer = new ProtocolFuzzer(door, seed + i);
                clients.add(CompletableFuture.supplyAsync(() -> fuzzer.run(end)));
            }
            Map<String, Integer> answers = new TreeMap<>();
            for (CompletableFuture<Map<String, Integer>> client : clients) {
                client.get(seconds + 120, TimeUnit.SECONDS).forEach((kind, count) -> answers.merge(kind, count, Integer::sum));
            }
            bystander.assertServedAllAlong();
            System.out.println("fuzzed: answers=" + answers + ", othersRequests=" + bystander.served());
            assertThat(answers).as("how deep the fuzzers got").containsKeys("WELCOME", "ALLOCATED", "ATTACHED", "SEALED",
                "FREED", "DONE", "INVALID_ARGUMENT", "OUT_OF_RANGE", "UNKNOWN_SEGMENT", "SEGMENT_SEALED");
            Leaks.await("all is freed", Duration.ofSeconds(30), () -> engine.stats().usedBytes() == 0);
        }
        assertThat(SealedMemory.liveCount()).isZero();
    }

    /** Keeps what is logged as an error, or is thrown out of a thread. */
    private static final class ErrorLines extends OutputStream {
        private final OutputStream kept;
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();

        ErrorLines(OutputStream kept) {
            this.kept = kept;
        }

        @Override
        public synchronized void write(int b) throws java.io.IOException {
            line.write(b);
            if (b == '\n') {
                String text = line.toString(StandardCharsets.UTF_8);
                if (text.contains(" ERROR ") || text.startsWith("Exception in thread") || text.startsWith("\tat ")) {
                    kept.write(line.toByteArray());
                }
                line.reset();
            }
        }
    }
}
