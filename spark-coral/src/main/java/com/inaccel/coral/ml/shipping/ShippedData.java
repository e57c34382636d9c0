package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.shipping.FeatureRow.Kind;
import com.inaccel.coral.ml.shipping.RequestRdd.Outcome;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.ColumnarToRowExec;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.WholeStageCodegenExec;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.storage.StorageLevel;
import scala.Tuple2;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * A dataset's features in the executors' shared memory, shipped once for any number of passes; the driver's end.
 *
 * <p>Each pass is one Spark job. Results come back by partition index and are combined in that order, so a fit does not
 * depend on which task ends first. A partition that is lost with its executor is read and shipped again by the first
 * pass that misses it. Whoever ships closes.
 */
public final class ShippedData implements AutoCloseable {
    /** Partial sums up to this many bytes in all go straight to the driver, larger ones through one shuffle. */
    private static final long DIRECT_BYTES = 64L << 20;

    private final SparkContext spark;
    private final ShippedRdd shipped;
    private final RunStats stats = new RunStats();
    private final long shipNanos;
    private List<ShippedPartition.Info> partitions; // null until the first pass has shipped them
    private int jobs;

    private ShippedData(SparkContext spark, ShippedRdd shipped) {
        long start = System.nanoTime();
        this.spark = spark;
        this.shipped = shipped;
        this.partitions = run((partition, index, none) -> partition.info());
        this.shipNanos = System.nanoTime() - start;
    }

    /**
     * Reads the dataset once and ships it.
     *
     * @param featuresCol a column of vectors or of {@code array<float|double>}
     * @param weight a column of doubles, or null
     * @param normalize whether rows are scaled to unit length
     */
    public static ShippedData ship(Dataset<?> dataset, String featuresCol, Column weight, CoralConf conf,
            boolean normalize) {
        Column features = functions.col(featuresCol);
        Dataset<Row> selected = weight == null ? dataset.select(features) : dataset.select(features, weight);
        DataType type = selected.schema().fields()[0].dataType();
        Kind kind = Kind.of(type);
        ShippedRdd shipped = new ShippedRdd(input(selected, kind), conf, kind, weight != null, normalize);
        shipped.setName("coral training data");
        shipped.persist(StorageLevel.MEMORY_ONLY());
        try {
            return new ShippedData(dataset.sparkSession().sparkContext(), shipped);
        } catch (Throwable e) { // Spark throws checked exceptions without declaring them
            shipped.unpersist(true);
            throw e;
        }
    }

    /** The plan's rows, or its columnar batches where a columnar reader is all there is to the plan. */
    private static RDD<?> input(Dataset<Row> selected, Kind kind) {
        return columnarChild(selected.queryExecution().executedPlan(), kind).<RDD<?>>map(SparkPlan::executeColumnar)
            .orElseGet(() -> selected.queryExecution().toRdd());
    }

    static Optional<SparkPlan> columnarChild(SparkPlan plan, Kind kind) {
        SparkPlan top = plan instanceof WholeStageCodegenExec codegen ? codegen.child() : plan;
        return kind == Kind.FLOATS && top instanceof ColumnarToRowExec toRows && top.output().size() == 1
            ? Optional.of(toRows.child()) : Optional.empty();
    }

    public List<ShippedPartition.Info> partitions() {
        return partitions;
    }

    public long rows() {
        return partitions.stream().mapToLong(ShippedPartition.Info::rows).sum();
    }

    /**
     * Dimension of the rows; -1 where there is none.
     *
     * @throws IllegalArgumentException where partitions differ
     */
    public int features() {
        int[] sizes = partitions.stream().mapToInt(ShippedPartition.Info::features).filter(size -> size >= 0)
            .distinct().toArray();
        if (sizes.length > 1) {
            throw new IllegalArgumentException("vectors of different sizes: sizes=" + Arrays.toString(sizes));
        }
        return sizes.length == 0 ? -1 : sizes[0];
    }

    /** Runs on every partition; results in partition order. */
    public <R> List<R> run(PartitionFunction<R> function) {
        return run(function, IntStream.range(0, shipped.getNumPartitions()).toArray());
    }

    /** Runs on the partitions named; results in the order in which they are named. */
    public <R> List<R> run(PartitionFunction<R> function, int[] indices) {
        List<Outcome<R>> outcomes = new ArrayList<>(Collections.nCopies(indices.length, Outcome.absent()));
        if (partitions != null) {
            collect(new ResidentRdd<>(spark, shipped, function), indices, outcomes);
        }
        collect(new RequestRdd<>(shipped, function), indices, outcomes);
        return outcomes.stream().map(this::account).toList();
    }

    /** The sum over partitions, added in partition order (from so many bytes on, in groups of neighbours first). */
    public double[] sum(PartitionFunction<double[]> function, int length) {
        int count = shipped.getNumPartitions();
        List<double[]> partials = (long) count * length * Double.BYTES <= DIRECT_BYTES
            ? run(function) : groupSums(function, count);
        double[] sum = new double[length];
        partials.forEach(partial -> add(partial, sum));
        return sum;
    }

    private List<double[]> groupSums(PartitionFunction<double[]> function, int count) {
        int groupSize = (int) Math.ceil(Math.sqrt(count));
        int groups = (count + groupSize - 1) / groupSize;
        jobs++;
        List<Tuple2<Integer, Outcome<double[]>>> sums =
            new JavaRDD<>(new RequestRdd<>(shipped, function), ClassTag$.MODULE$.apply(Outcome.class))
                .mapPartitionsWithIndex((index, outcomes) ->
                    List.of(new Tuple2<>(index, outcomes.next())).iterator(), true)
                .mapToPair(indexed -> new Tuple2<>(indexed._1 / groupSize, indexed))
                .groupByKey(groups)
                .mapValues(ShippedData::sumInOrder)
                .collect();
        return sums.stream().sorted((a, b) -> a._1.compareTo(b._1)).map(group -> account(group._2)).toList();
    }

    private static Outcome<double[]> sumInOrder(Iterable<Tuple2<Integer, Outcome<double[]>>> indexed) {
        List<Tuple2<Integer, Outcome<double[]>>> ordered = new ArrayList<>();
        indexed.forEach(ordered::add);
        ordered.sort((a, b) -> a._1.compareTo(b._1));
        double[] sum = new double[ordered.get(0)._2.value().length];
        RunStats stats = new RunStats();
        for (Tuple2<Integer, Outcome<double[]>> element : ordered) {
            add(element._2.value(), sum);
            stats.add(element._2.stats());
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
    private <R> void collect(RDD<Outcome<R>> rdd, int[] indices, List<Outcome<R>> outcomes) {
        int[] positions = IntStream.range(0, indices.length).filter(i -> outcomes.get(i).isAbsent()).toArray();
        if (positions.length == 0) {
            return;
        }
        jobs++;
        List<Object> named = new ArrayList<>(positions.length);
        Arrays.stream(positions).forEach(position -> named.add(indices[position]));
        spark.runJob(rdd, new First<>(), JavaConverters.asScalaBuffer(named).toSeq(),
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

    /** What the requests of all passes took. */
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

    /** Spark jobs run so far. */
    public int jobs() {
        return jobs;
    }

    /** Wall time until everything was shipped for the first time, reading it included. */
    public long shipNanos() {
        return shipNanos;
    }

    /** Gives the shared memory back on every executor, and waits until it is. */
    @Override
    public void close() {
        shipped.unpersist(true);
    }
}
