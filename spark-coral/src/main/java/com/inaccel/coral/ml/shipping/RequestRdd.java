package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.Partition;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.storage.RDDBlockId;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;

/** Runs a function on each shipped partition, shipping what is not there; one {@link Outcome} a partition. */
final class RequestRdd<R> extends RDD<RequestRdd.Outcome<R>> {
    private static final long serialVersionUID = 1L;

    private final ShippedRdd shipped;
    private final ScratchOwner owner;
    private final PartitionFunction<R> function;
    private final PassTimes times;

    /** A function's result, with what its requests took; a null value says that the partition was not there. */
    record Outcome<R>(R value, RunStats stats) implements Serializable {
        static <R> Outcome<R> of(PartitionFunction<R> function, ShippedPartition partition, ScratchOwner owner,
                int index, PassTimes times) {
            RunStats stats = new RunStats();
            R value = function.apply(partition.ownedBy(owner), index, stats);
            times.add(stats);
            return new Outcome<>(value, stats);
        }

        static <R> Outcome<R> absent() {
            return new Outcome<>(null, new RunStats());
        }

        boolean isAbsent() {
            return value == null;
        }

        Iterator<Outcome<R>> once() {
            return JavaConverters.asScalaIterator(List.of(this).iterator());
        }
    }

    RequestRdd(ShippedRdd shipped, ScratchOwner owner, PartitionFunction<R> function) {
        super(shipped, ClassTag$.MODULE$.apply(Outcome.class));
        this.shipped = shipped;
        this.owner = owner;
        this.function = function;
        this.times = new PassTimes(shipped.context());
    }

    @Override
    public Partition[] getPartitions() {
        return shipped.partitions();
    }

    @Override
    public Iterator<Outcome<R>> compute(Partition split, TaskContext context) {
        ShippedPartition partition = cached(split, context);
        if (!partition.isHere()) {
            // The manager that held it is gone, or the block came from another executor: forget a stale local one.
            SparkEnv.get().blockManager().removeBlock(new RDDBlockId(shipped.id(), split.index()), true);
            partition = cached(split, context);
        }
        if (partition.isHere()) {
            return Outcome.of(function, partition, owner, split.index(), times).once();
        }
        // Spark ran the task away from the executor that holds the data: ship it for this task alone.
        try (ShippedPartition again = shipped.compute(split, context).next()) {
            again.info().requireShipped();
            return Outcome.of(function, again, owner, split.index(), times).once();
        }
    }

    private ShippedPartition cached(Partition split, TaskContext context) {
        Iterator<ShippedPartition> elements = shipped.iterator(split, context);
        ShippedPartition partition = elements.next();
        elements.hasNext(); // reaching the end gives the block's read lock back
        return partition;
    }
}
