package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.SparkMetric;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.util.KnownSizeEstimation;

/**
 * One partition's training data in shared memory: an element of a cached RDD, so Spark's block manager knows where it
 * is, sends tasks there, forgets it with its executor, and closes it when the RDD is unpersisted.
 *
 * <p>The data itself never travels: what another executor deserializes is a husk whose {@link #isHere()} is false.
 * Fits that share the data use it at the same time, but one task of each fit at a time; each has its own scratch memory.
 */
public final class ShippedPartition implements Serializable, AutoCloseable, KnownSizeEstimation {
    private static final long serialVersionUID = 1L;
    /** How often a waiting task looks whether it was killed. */
    private static final long KILL_POLL_MILLIS = 100;
    /** Rather more than a handle and its batches take. */
    private static final long HANDLE_BYTES = 4096;

    private final Info info;
    private final transient ScratchOwner owner; // null in the cached block, which nobody computes with
    private transient Local local;

    /**
     * What the driver knows of a partition.
     *
     * @param features dimension; -1 where there is no row
     * @param bytes shared memory taken
     * @param shipNanos time the task took to read and ship
     * @param fallbacks what serves the partition in place of something better
     * @param summary of the partition's rows; null where none was asked for, and once the driver has merged it
     * @param refusal why the executor shipped nothing; empty where it did
     */
    public record Info(long rows, int features, boolean sparse, Precision precision, String address, long bytes,
            long shipNanos, List<Fallback> fallbacks, FeatureSummary summary, String refusal) implements Serializable {
        static Info refused(String refusal) {
            return new Info(0, -1, false, Precision.DOUBLE, "", 0, 0, List.of(), null, refusal);
        }

        Info withoutSummary() {
            return new Info(rows, features, sparse, precision, address, bytes, shipNanos, fallbacks, null, refusal);
        }

        /** @throws CoralException NO_MANAGER where the executor refused */
        void requireShipped() {
            if (!refusal.isEmpty()) {
                throw new CoralException(ErrorCode.NO_MANAGER, refusal);
            }
        }
    }

    private record Local(Session session, CoralConf conf, List<Batch> batches, double[] shift,
            Map<Scratch, Segment> scratch) { }

    private record Scratch(long owner, String name) { }

    ShippedPartition(Info info, Session session, CoralConf conf, List<Batch> batches, double[] shift) {
        this.info = info;
        this.owner = null;
        this.local = new Local(session, conf, batches, shift, new ConcurrentHashMap<>());
    }

    /** Of an executor that does not serve: the driver hears of it by a result, since a failed task would be tried again. */
    static ShippedPartition refused(String refusal) {
        return new ShippedPartition(Info.refused(refusal));
    }

    private ShippedPartition(Info info) {
        this.info = info;
        this.owner = null;
    }

    private ShippedPartition(ShippedPartition block, ScratchOwner owner) {
        this.info = block.info;
        this.owner = owner;
        this.local = block.local;
    }

    /** The same partition with this fit's scratch memory; gives back that of fits that are over. */
    ShippedPartition ownedBy(ScratchOwner fit) {
        for (Scratch scratch : local.scratch.keySet()) {
            if (fit.knowsTheEndOf(scratch.owner)) {
                release(scratch);
            }
        }
        return new ShippedPartition(this, fit);
    }

    public Info info() {
        return info;
    }

    /**
     * Heap that the block takes. Spark would find it by walking all objects that can be reached, the session's and the
     * engine's among them, which takes longer than shipping a few megabytes.
     */
    @Override
    public long estimatedSize() {
        long shift = local == null || local.shift == null ? 0 : local.shift.length * (long) Double.BYTES;
        return HANDLE_BYTES + shift + (info.summary == null ? 0 : info.summary.heapBytes());
    }

    /** Whether the data is in this process and its manager still holds it. */
    public boolean isHere() {
        return local != null && local.session.isOpen();
    }

    public List<Batch> batches() {
        return local.batches;
    }

    /** What was subtracted from every row while it was shipped, or null. */
    public double[] shift() {
        return local.shift;
    }

    /**
     * Shared memory of at least {@code bytes} that stays with the partition under this name for as long as the fit lasts,
     * its contents kept.
     */
    public Segment scratch(String name, long bytes) {
        Scratch key = new Scratch(owner.id(), name);
        Segment held = local.scratch.get(key);
        if (held != null && held.sizeBytes() >= bytes) {
            return held;
        }
        release(key);
        Segment fresh = local.session.allocate(bytes);
        local.scratch.put(key, fresh);
        return fresh;
    }

    public boolean hasScratch(String name) {
        return local.scratch.containsKey(new Scratch(owner.id(), name));
    }

    public void releaseScratch(String name) {
        release(new Scratch(owner.id(), name));
    }

    /** Of all fits. */
    long scratchBytes() {
        return local.scratch.values().stream().mapToLong(Segment::sizeBytes).sum();
    }

    private void release(Scratch key) {
        Segment held = local.scratch.remove(key);
        if (held != null) {
            held.close();
        }
    }

    /**
     * Submits the requests together and waits for all of them. A task that is killed while it waits cancels them.
     *
     * @throws CoralException of the first request that failed; the others are cancelled then
     */
    public void run(List<Request.Builder> requests, RunStats stats) {
        List<CompletableFuture<Completion>> pending = new ArrayList<>(requests.size());
        try {
            for (Request.Builder request : requests) {
                pending.add(local.session.submit(request.timeout(local.conf.requestTimeout()).build()));
            }
            for (CompletableFuture<Completion> future : pending) {
                stats.add(await(future));
            }
        } finally {
            pending.forEach(future -> future.cancel(true));
        }
    }

    private static Completion await(CompletableFuture<Completion> future) {
        while (true) {
            try {
                return future.get(KILL_POLL_MILLIS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException e) {
                TaskContext task = TaskContext.get();
                if (task != null && task.isInterrupted()) {
                    throw new TaskKilledException();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new TaskKilledException();
            } catch (ExecutionException e) {
                SparkMetric.REQUESTS_FAILED.add(1);
                throw e.getCause() instanceof CoralException failure
                    ? new CoralException(failure.code(), failure.getMessage(), failure)
                    : new CoralException(ErrorCode.INTERNAL, "request failed: " + e.getCause(), e.getCause());
            }
        }
    }

    /** Gives the shared memory back. Idempotent. */
    @Override
    public void close() {
        Local held = local;
        local = null;
        if (held != null) {
            held.batches.forEach(Batch::close);
            held.scratch.values().forEach(Segment::close);
        }
    }
}
