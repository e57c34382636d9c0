package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.SparkMetric;
import com.inaccel.coral.ml.shipping.FeatureRow.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.ml.util.DatasetUtils$;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.execution.ColumnarToRowExec;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.WholeStageCodegenExec;
import org.apache.spark.sql.functions;
import org.apache.spark.storage.StorageLevel;
import scala.Option;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;

/** What the fits that use one shipment share: the shipped partitions, and what the driver knows of them. Thread-safe. */
final class SharedShipment implements AutoCloseable {
    private final ShippedRdd rdd;
    private final List<ShippedPartition.Info> partitions;
    private final FeatureSummary summary; // null where none was asked for
    private final SortedSet<Long> owners = new TreeSet<>(); // guarded by this, as is the next
    private long nextOwner;

    /** Reads the dataset once and ships it. */
    static SharedShipment ship(Dataset<?> dataset, Shipment shipment, CoralConf conf) {
        List<Column> columns = new ArrayList<>(List.of(functions.col(shipment.featuresCol())));
        if (shipment.weighted()) {
            columns.add(DatasetUtils$.MODULE$.checkNonNegativeWeights(shipment.weightCol()));
        }
        if (shipment.labelled()) {
            columns.add(DatasetUtils$.MODULE$.checkClassificationLabels(shipment.labelCol(), Option.empty()));
        }
        Dataset<Row> selected = dataset.select(JavaConverters.asScalaBuffer(columns).toSeq());
        Kind kind = Kind.of(selected.schema().fields()[0].dataType());
        ShippedRdd rdd = new ShippedRdd(input(selected, kind), conf, kind, shipment);
        rdd.setName("coral training data");
        rdd.persist(StorageLevel.MEMORY_ONLY());
        try {
            return new SharedShipment(rdd, shipment.summarized());
        } catch (Throwable e) { // Spark throws checked exceptions without declaring them
            rdd.unpersist(true);
            throw e;
        }
    }

    private SharedShipment(ShippedRdd rdd, boolean summarized) {
        this.rdd = rdd;
        List<ShippedPartition.Info> infos =
            new JavaRDD<>(rdd, ClassTag$.MODULE$.apply(ShippedPartition.class)).map(ShippedPartition::info).collect();
        infos.forEach(ShippedPartition.Info::requireShipped);
        infos.stream().flatMap(info -> info.fallbacks().stream()).distinct().forEach(Fallback::log);
        SparkMetric.SHIPMENTS.add(1);
        this.partitions = infos.stream().map(ShippedPartition.Info::withoutSummary).toList();
        features(); // refuses partitions of different dimensions, before their summaries meet
        this.summary = summarized
            ? FeatureSummary.merge(infos.stream().map(ShippedPartition.Info::summary).toList()) : null;
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

    ShippedRdd rdd() {
        return rdd;
    }

    List<ShippedPartition.Info> partitions() {
        return partitions;
    }

    Optional<FeatureSummary> summary() {
        return Optional.ofNullable(summary);
    }

    /** Dimension of the rows; -1 where there is none. */
    int features() {
        int[] sizes = partitions.stream().mapToInt(ShippedPartition.Info::features).filter(size -> size >= 0)
            .distinct().toArray();
        if (sizes.length > 1) {
            throw new IllegalArgumentException("vectors of different sizes: sizes=" + Arrays.toString(sizes));
        }
        return sizes.length == 0 ? -1 : sizes[0];
    }

    /** A number for a fit that begins. */
    synchronized long enter() {
        long owner = nextOwner++;
        owners.add(owner);
        return owner;
    }

    /** Tasks of the fits that are left give its scratch back when they come by. */
    synchronized void leave(long owner) {
        owners.remove(owner);
    }

    /** The owner, to be sent along with its tasks. */
    synchronized ScratchOwner owner(long id) {
        return new ScratchOwner(id, owners.stream().mapToLong(Long::longValue).toArray(), nextOwner);
    }

    /** Gives the shared memory back on every executor, and waits until it is. Idempotent. */
    @Override
    public void close() {
        if (!rdd.context().isStopped()) {
            rdd.unpersist(true);
        }
    }

    /** Gives the shared memory of this process back, while Spark stops and asks executors for nothing any more. */
    void closeHere() {
        SparkEnv.get().blockManager().removeRdd(rdd.id());
    }
}
