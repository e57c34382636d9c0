package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;

/**
 * The sessions of this executor: one an address and way to reconnect, opened by the first task that ships and kept for the executor's life,
 * since what costs (programs, warm shared memory) is worth keeping between fits.
 */
final class Sessions {
    private static final Duration RETRY = Duration.ofMillis(100);
    private static final Map<Key, Session> OPEN = new ConcurrentHashMap<>();

    private record Key(String address, Duration reconnect) { }

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(Sessions::closeAll, "coral-sessions-close"));
    }

    private Sessions() { }

    /**
     * Why this executor must not serve itself although it finds no node manager; empty where there is one, or it may.
     *
     * @param environment of the executor
     */
    static Optional<String> refusal(CoralConf conf, Map<String, String> environment) {
        if (conf.expectation().isEmpty() || !Coral.defaultAddress().equals(Coral.EMBEDDED)
                || !environment.getOrDefault(Coral.ADDRESS_VARIABLE, "").isBlank()) {
            return Optional.empty();
        }
        return Optional.of("executor got no FPGA: executor=" + SparkEnv.get().executorId() + ", pod="
            + environment.getOrDefault("SPARK_EXECUTOR_POD_NAME", "none") + ", expected by " + conf.expectation()
            + ", missing=" + Coral.ADDRESS_VARIABLE + " and " + Coral.DEFAULT_SOCKET + "; check that the executor's container "
            + "has the limit (kubectl get pod POD -o yaml: xilinx.com/fpga or the like), that Coral's manager runs on its node, "
            + "or let executors compute by themselves with " + CoralConf.Key.FALLBACK.key() + "=embedded");
    }

    /** An open session at the address, or at the executor's own default where it is empty; a broken one is replaced. */
    static Session at(String configured, Duration reconnect) {
        String address = configured.isEmpty() ? Coral.defaultAddress() : configured;
        return OPEN.compute(new Key(address, reconnect), (key, open) -> {
            if (open != null && open.isOpen()) {
                return open;
            }
            if (open != null) {
                open.close();
            }
            Session session = open(key, configured.isEmpty());
            Fallback.of(configured, session).forEach(Fallback::count);
            return session;
        });
    }

    /**
     * Opens a session.
     *
     * @param granted whether the address was not chosen by a person, but is what this executor was granted: then a manager is
     *     being replaced if only its directory is there, and the next one is waited for, as it is by an open session
     */
    private static Session open(Key key, boolean granted) {
        long start = System.nanoTime();
        while (true) {
            try {
                return Coral.open(key.address(), key.reconnect());
            } catch (CoralException e) {
                boolean comesBack = granted && e.code() == ErrorCode.NO_MANAGER && hasDirectory(key.address());
                if (!comesBack || System.nanoTime() - start > key.reconnect().toNanos()) {
                    throw e;
                }
            }
            TaskContext task = TaskContext.get();
            if (task != null && task.isInterrupted()) {
                throw new TaskKilledException();
            }
            LockSupport.parkNanos(RETRY.toNanos());
        }
    }

    private static boolean hasDirectory(String address) {
        return address.startsWith("unix:/") && Files.isDirectory(Path.of(address.substring("unix:".length())).getParent());
    }

    static void closeAll() {
        OPEN.keySet().forEach(open -> OPEN.computeIfPresent(open, (key, session) -> {
            session.close();
            return null;
        }));
    }
}
