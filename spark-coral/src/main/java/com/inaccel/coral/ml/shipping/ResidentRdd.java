package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.shipping.RequestRdd.Outcome;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.Partition;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.storage.BlockResult;
import org.apache.spark.storage.RDDBlockId;
import scala.Option;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.collection.Seq;
import scala.collection.immutable.Nil$;
import scala.reflect.ClassTag$;

/**
 * Runs a function on each shipped partition that is where the task is, and says so where it is not. Unlike {@link
 * RequestRdd} it knows nothing of how to ship, so its tasks carry no lineage: with a dataset behind them, that is most of
 * what a short task costs.
 */
final class ResidentRdd<R> extends RDD<Outcome<R>> {
    private static final long serialVersionUID = 1L;

    private final int shippedId;
    private final ScratchOwner owner;
    private final PartitionFunction<R> function;
    private final PassTimes times;
    private final transient ShippedRdd shipped;

    private record Slot(int index) implements Partition { }

    ResidentRdd(SparkContext spark, ShippedRdd shipped, ScratchOwner owner, PartitionFunction<R> function) {
        super(spark, noDependencies(), ClassTag$.MODULE$.apply(Outcome.class));
        this.shippedId = shipped.id();
        this.owner = owner;
        this.function = function;
        this.times = new PassTimes(spark);
        this.shipped = shipped;
    }

    @SuppressWarnings("unchecked") // Nil holds nothing of any type
    private static <T> Seq<T> noDependencies() {
        return (Seq<T>) Nil$.MODULE$;
    }

    @Override
    public Partition[] getPartitions() {
        Partition[] slots = new Partition[shipped.getNumPartitions()];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = new Slot(i);
        }
        return slots;
    }

    /** The executors that hold the partition, as Spark's block manager has it. */
    @Override
    public Seq<String> getPreferredLocations(Partition split) {
        List<String> locations = new ArrayList<>();
        JavaConverters.seqAsJavaList(context().getPreferredLocs(shipped, split.index()))
            .forEach(location -> locations.add(location.toString()));
        return JavaConverters.asScalaBuffer(locations);
    }

    @Override
    public Iterator<Outcome<R>> compute(Partition split, TaskContext context) {
        return ask(shippedId, split.index(), owner, function, times).once();
    }

    /** Runs the function on a partition of what was shipped, if it is in this process; for tasks. */
    static <R> Outcome<R> ask(
            int shippedId, int index, ScratchOwner owner, PartitionFunction<R> function, PassTimes times) {
        Option<BlockResult> block = SparkEnv.get().blockManager().getLocalValues(new RDDBlockId(shippedId, index));
        if (block.isEmpty()) {
            return Outcome.absent();
        }
        Iterator<?> elements = block.get().data();
        ShippedPartition partition = (ShippedPartition) elements.next();
        elements.hasNext(); // reaching the end gives the block's read lock back
        return partition.isHere() ? Outcome.of(function, partition, owner, index, times) : Outcome.absent();
    }
}
