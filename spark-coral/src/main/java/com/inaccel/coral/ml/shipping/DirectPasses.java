package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.CoralConf.Passes;
import com.inaccel.coral.ml.shipping.RequestRdd.Outcome;
import java.util.List;
import org.apache.spark.SparkContext;

/**
 * A fit's passes where everything that was shipped lies in the driver's own process, which is so where Spark runs locally:
 * by a {@link StandingJob} instead of a job a pass. Elsewhere it does nothing. Used by one thread.
 */
final class DirectPasses implements AutoCloseable {
    private final SparkContext spark;
    private final ShippedRdd shipped;
    private final int tasks; // 0: passes take jobs of their own
    private StandingJob standing;
    private boolean unreachable;
    private int jobs;

    DirectPasses(ShippedRdd shipped, Passes passes) {
        this.spark = shipped.context();
        this.shipped = shipped;
        this.tasks = passes == Passes.JOBS || !spark.isLocal() ? 0 : Math.min(shipped.getNumPartitions(),
            spark.maxNumConcurrentTasks(spark.resourceProfileManager().defaultResourceProfile()));
    }

    boolean isPossible() {
        return tasks > 0 && !unreachable;
    }

    /**
     * Fills in the outcomes of the partitions that are here; {@code indices} names the partition of each.
     *
     * @return whether that was tried: an outcome that is still absent then is of a partition that is not here
     */
    <R> boolean run(PartitionFunction<R> function, ScratchOwner owner, int[] indices, List<Outcome<R>> outcomes) {
        if (!isPossible() || indices.length == 0) {
            return false;
        }
        if (standing != null && standing.isOver()) {
            leave();
        }
        if (standing == null) {
            jobs++;
            standing = StandingJob.start(spark, tasks);
        }
        boolean complete = false;
        try {
            standing.run(indices.length, (position, times) -> outcomes.set(position,
                ResidentRdd.ask(shipped.id(), indices[position], owner, function, times)));
            complete = outcomes.stream().noneMatch(Outcome::isAbsent);
        } finally {
            unreachable = !standing.isReached();
            if (!complete) {
                leave(); // for the jobs that follow to have their slots
            }
        }
        return !unreachable;
    }

    private void leave() {
        standing.dismiss();
        standing = null;
    }

    int jobs() {
        return jobs;
    }

    @Override
    public void close() {
        if (standing != null) {
            standing.dismiss();
            standing.awaitEnd();
            standing = null;
        }
    }
}
