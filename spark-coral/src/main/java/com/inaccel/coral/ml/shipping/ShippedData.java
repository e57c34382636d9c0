package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.SparkMetric;
import com.inaccel.coral.ml.shipping.RequestRdd.Outcome;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import scala.Tuple2;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * A dataset's features in the executors' shared memory, shipped once for any number of passes; the driver's end.
 *
 * <p>Each pass is one Spark job, or where all of it is in this process, a turn of one that stays ({@link DirectPasses}).
 * Results come back by partition index and are combined in that order, so a fit does not depend on which task ends first. A
 * partition that is lost with its executor is read and shipped again by the first pass that misses it. Whoever ships
 * closes. Used by one thread at a time: fits that share a shipment have one each.
 */
public final class ShippedData implements AutoCloseable {
    /** Partial sums up to this many bytes in all go straight to the driver, larger ones through one shuffle. */
    private static final long DIRECT_BYTES = 64L << 20;

    private final SparkContext spark;
    private final SharedShipment shared;
    private final ShippedRdd shipped;
    private final long owner;
    private final Runnable release;
    private final DirectPasses direct;
    private final RunStats stats = new RunStats();
    private final long shipNanos;
    private int jobs; // without those of direct passes
    private int passes;
    private boolean closed;

    /**
     * @param shippedNow whether it was this user who shipped
     * @param startNanos when this user began to ship, or to wait for the one who did
     * @param release run once, when this user closes
     */
    ShippedData(SharedShipment shared, boolean shippedNow, long startNanos, Runnable release) {
        this.spark = shared.rdd().context();
        this.shared = shared;
        this.shipped = shared.rdd();
        this.owner = shared.enter();
        this.release = release;
        this.direct = new DirectPasses(shipped, shipped.passes());
        this.jobs = shippedNow ? 1 : 0;
        this.shipNanos = System.nanoTime() - startNanos;
    }

    /** Reads the dataset once and ships it, for one user who keeps nothing of it. */
    public static ShippedData ship(Dataset<?> dataset, Shipment shipment, CoralConf conf) {
        long start = System.nanoTime();
        SharedShipment shared = SharedShipment.ship(dataset, shipment, conf);
        return new ShippedData(shared, true, start, shared::close);
    }

    public List<ShippedPartition.Info> partitions() {
        return shared.partitions();
    }

    public long rows() {
        return partitions().stream().mapToLong(ShippedPartition.Info::rows).sum();
    }

    /** Dimension of the rows; -1 where there is none. */
    public int features() {
        return shared.features();
    }

    /** What the shipped rows have in common, weights and labels included. */
    public FeatureSummary summary() {
        return shared.summary().orElseThrow(
            () -> new IllegalStateException("no summary was asked for: set summarized in the shipment"));
    }

    /** Makes a value of about so many bytes available to tasks, until it is closed. */
    public <T extends Serializable> Sent<T> send(T value, long bytes) {
        return new Sent<>(spark, value, bytes);
    }

    /** Runs on every partition; results in partition order. */
    public <R> List<R> run(PartitionFunction<R> function) {
        return run(function, IntStream.range(0, shipped.getNumPartitions()).toArray());
    }

    /** Runs on the partitions named; results in the order in which they are named. */
    public <R> List<R> run(PartitionFunction<R> function, int[] indices) {
        beginPass();
        return outcomes(function, indices).stream().map(this::account).toList();
    }

    private void beginPass() {
        passes++;
        SparkMetric.PASSES.add(1);
    }

    private <R> List<Outcome<R>> outcomes(PartitionFunction<R> function, int[] indices) {
        List<Outcome<R>> outcomes = new ArrayList<>(Collections.nCopies(indices.length, Outcome.absent()));
        ScratchOwner sent = shared.owner(owner);
        if (!direct.run(function, sent, indices, outcomes)) {
            collect(() -> new ResidentRdd<>(spark, shipped, sent, function), indices, outcomes);
        }
        collect(() -> new RequestRdd<>(shipped, sent, function), indices, outcomes);
        return outcomes;
    }

    /** The sum over partitions, added in partition order (from so many bytes on, in groups of neighbours first). */
    public double[] sum(PartitionFunction<double[]> function, int length) {
        beginPass();
        int count = shipped.getNumPartitions();
        List<Outcome<double[]>> partials = (long) count * length * Double.BYTES <= DIRECT_BYTES
            ? outcomes(function, IntStream.range(0, count).toArray()) : groupSums(function, count);
        double[] sum = new double[length];
        partials.forEach(partial -> add(account(partial), sum));
        return sum;
    }

    private List<Outcome<double[]>> groupSums(PartitionFunction<double[]> function, int count) {
        int groupSize = (int) Math.ceil(Math.sqrt(count));
        int groups = (count + groupSize - 1) / groupSize;
        if (direct.isPossible()) {
            return IntStream.range(0, groups).mapToObj(group -> sumInOrder(outcomes(function,
                IntStream.range(group * groupSize, Math.min(count, (group + 1) * groupSize)).toArray()))).toList();
        }
        jobs++;
        List<Tuple2<Integer, Outcome<double[]>>> sums =
            new JavaRDD<>(new RequestRdd<>(shipped, shared.owner(owner), function), ClassTag$.MODULE$.apply(Outcome.class))
                .mapPartitionsWithIndex((index, outcomes) ->
                    List.of(new Tuple2<>(index, outcomes.next())).iterator(), true)
                .mapToPair(indexed -> new Tuple2<>(indexed._1 / groupSize, indexed))
                .groupByKey(groups)
                .mapValues(ShippedData::sumIndexed)
                .collect();
        return sums.stream().sorted((a, b) -> a._1.compareTo(b._1)).map(Tuple2::_2).toList();
    }

    private static Outcome<double[]> sumIndexed(Iterable<Tuple2<Integer, Outcome<double[]>>> indexed) {
        List<Tuple2<Integer, Outcome<double[]>>> ordered = new ArrayList<>();
        indexed.forEach(ordered::add);
        ordered.sort((a, b) -> a._1.compareTo(b._1));
        return sumInOrder(ordered.stream().map(Tuple2::_2).toList());
    }

    private static Outcome<double[]> sumInOrder(List<Outcome<double[]>> partials) {
        double[] sum = new double[partials.get(0).value().length];
        RunStats stats = new RunStats();
        for (Outcome<double[]> partial : partials) {
            add(partial.value(), sum);
            stats.add(partial.stats());
        }
        return new Outcome<>(sum, stats);
    }

    private static void add(double[] from, double[] to) {
        for (int i = 0; i < to.length; i++) {
            to[i] += from[i];
        }
    }

    private <R> R account(Outcome<R> outcome) {
        stats.add(outcome.stats());
        return outcome.value();
    }

    /** Fills in the outcomes that are absent; {@code indices} names the partition of each. */
    private <R> void collect(Supplier<RDD<Outcome<R>>> rdd, int[] indices, List<Outcome<R>> outcomes) {
        int[] positions = IntStream.range(0, indices.length).filter(i -> outcomes.get(i).isAbsent()).toArray();
        if (positions.length == 0) {
            return;
        }
        jobs++;
        List<Object> named = new ArrayList<>(positions.length);
        Arrays.stream(positions).forEach(position -> named.add(indices[position]));
        spark.runJob(rdd.get(), new First<>(), JavaConverters.asScalaBuffer(named).toSeq(),
            new AbstractFunction2<Object, Outcome<R>, BoxedUnit>() {
                @Override
                public BoxedUnit apply(Object index, Outcome<R> outcome) {
                    outcomes.set(positions[(Integer) index], outcome);
                    return BoxedUnit.UNIT;
                }
            }, ClassTag$.MODULE$.<Outcome<R>>apply(Outcome.class));
    }

    /** The one element of a partition. */
    private static final class First<T> extends AbstractFunction2<TaskContext, Iterator<T>, T> implements Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public T apply(TaskContext context, Iterator<T> elements) {
            return elements.next();
        }
    }

    /** What the requests of all of this user's passes took. */
    public RunStats stats() {
        return stats;
    }

    /** Shipments so far: more than there are partitions when an executor or a manager was lost. */
    public long partitionsShipped() {
        return shipped.partitionsShipped().value();
    }

    /** Shared memory that all shipments took, in bytes. */
    public long bytesShipped() {
        return shipped.bytesShipped().value();
    }

    /** Spark jobs that this user has run so far. */
    public int jobs() {
        return jobs + direct.jobs();
    }

    /** Passes over the data, by jobs or without, that this user has made so far. */
    public int passes() {
        return passes;
    }

    /** Wall time until everything was shipped for the first time, reading it included; or of waiting until another did. */
    public long shipNanos() {
        return shipNanos;
    }

    /** Gives the shared memory back on every executor, and waits until it is, unless other fits share it. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            direct.close();
            shared.leave(owner);
            release.run();
        }
    }
}
