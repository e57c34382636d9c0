package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.CoralConf.Precision;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;

/**
 * One partition's training data in shared memory: an element of a cached RDD, so Spark's block manager knows where it
 * is, sends tasks there, forgets it with its executor, and closes it when the RDD is unpersisted.
 *
 * <p>The data itself never travels: what another executor deserializes is a husk whose {@link #isHere()} is false.
 * Used by one task at a time.
 */
public final class ShippedPartition implements Serializable, AutoCloseable {
    private static final long serialVersionUID = 1L;
    /** How often a waiting task looks whether it was killed. */
    private static final long KILL_POLL_MILLIS = 100;

    private final Info info;
    private transient Local local;

    /**
     * What the driver knows of a partition.
     *
     * @param features dimension; -1 where there is no row
     * @param bytes shared memory taken
     * @param shipNanos time the task took to read and ship
     */
    public record Info(long rows, int features, boolean sparse, Precision precision, String address, long bytes,
            long shipNanos) implements Serializable { }

    private record Local(Session session, CoralConf conf, List<Batch> batches, double[] shift,
            Map<String, Segment> scratch) { }

    ShippedPartition(Info info, Session session, CoralConf conf, List<Batch> batches, double[] shift) {
        this.info = info;
        this.local = new Local(session, conf, batches, shift, new HashMap<>());
    }

    public Info info() {
        return info;
    }

    /** Whether the data is in this process and its manager still holds it. */
    boolean isHere() {
        return local != null && local.session.isOpen();
    }

    public List<Batch> batches() {
        return local.batches;
    }

    /** What was subtracted from every row while it was shipped, or null. */
    public double[] shift() {
        return local.shift;
    }

    /** Shared memory of at least {@code bytes} that stays with the partition under this name, its contents kept. */
    public Segment scratch(String name, long bytes) {
        Segment held = local.scratch.get(name);
        if (held != null && held.sizeBytes() >= bytes) {
            return held;
        }
        releaseScratch(name);
        Segment fresh = local.session.allocate(bytes);
        local.scratch.put(name, fresh);
        return fresh;
    }

    public boolean hasScratch(String name) {
        return local.scratch.containsKey(name);
    }

    public void releaseScratch(String name) {
        Segment held = local.scratch.remove(name);
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
