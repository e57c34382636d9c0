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

/** Runs a function on each shipped partition where it is; one {@link Outcome} a partition. */
final class RequestRdd<R> extends RDD<RequestRdd.Outcome<R>> {
    private static final long serialVersionUID = 1L;

    private final ShippedRdd shipped;
    private final PartitionFunction<R> function;

    /** A function's result, with what its requests took. */
    record Outcome<R>(R value, RunStats stats) implements Serializable { }

    RequestRdd(ShippedRdd shipped, PartitionFunction<R> function) {
        super(shipped, ClassTag$.MODULE$.apply(Outcome.class));
        this.shipped = shipped;
        this.function = function;
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
            return outcome(partition, split.index());
        }
        // Spark ran the task away from the executor that holds the data: ship it for this task alone.
        try (ShippedPartition again = shipped.compute(split, context).next()) {
            return outcome(again, split.index());
        }
    }

    private ShippedPartition cached(Partition split, TaskContext context) {
        Iterator<ShippedPartition> elements = shipped.iterator(split, context);
        ShippedPartition partition = elements.next();
        elements.hasNext(); // reaching the end gives the block's read lock back
        return partition;
    }

    private Iterator<Outcome<R>> outcome(ShippedPartition partition, int index) {
        RunStats stats = new RunStats();
        R value = function.apply(partition, index, stats);
        return JavaConverters.asScalaIterator(List.of(new Outcome<>(value, stats)).iterator());
    }
}
