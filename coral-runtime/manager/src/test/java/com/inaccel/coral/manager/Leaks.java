package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.protocol.SealedMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.BooleanSupplier;

/** What may not be left behind: shared memory, descriptors of memory and sockets, threads. */
public final class Leaks {
    private Leaks() { }

    /** Memory and threads go with the last user, who may be a thread that is just ending: so it waits a little. */
    public static void assertNone() {
        await("shared memory is given back: liveBytes=" + SealedMemory.liveBytes(), Duration.ofSeconds(15),
            () -> SealedMemory.liveBytes() == 0 && SealedMemory.liveCount() == 0);
        await("descriptors are closed", Duration.ofSeconds(5), () -> descriptors().isEmpty());
        await("threads have ended", Duration.ofSeconds(5), () -> threads().isEmpty());
        assertThat(threads()).isEmpty();
        assertThat(descriptors()).isEmpty();
    }

    @SuppressWarnings("ThreadPriorityCheck") // what is awaited needs the core
    public static void await(String what, Duration limit, BooleanSupplier condition) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + limit + ": " + what + "; threads=" + threads()
                    + ", descriptors=" + descriptors() + ", liveBytes=" + SealedMemory.liveBytes());
            }
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    static List<String> threads() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
            .filter(name -> name.startsWith("coral-")).toList();
    }

    /** Memory files, and the sockets that are ours: the JDK and the build have some of their own. */
    private static List<String> descriptors() {
        try (var entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.map(Leaks::target).filter(target -> target.startsWith("/memfd:coral")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The JDK opens one for itself with the first file channel, and keeps it: that is provoked before counting. */
    public static long sockets() {
        try (var channel = FileChannel.open(Path.of("/proc/self/status"));
                var entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.map(Leaks::target).filter(target -> target.startsWith("socket:")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String target(Path entry) {
        try {
            return Files.readSymbolicLink(entry).toString();
        } catch (IOException e) {
            return ""; // closed since it was listed
        }
    }
}
