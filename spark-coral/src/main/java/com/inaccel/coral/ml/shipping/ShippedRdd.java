package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.SparkMetric;
import com.inaccel.coral.ml.shipping.FeatureRow.Kind;
import java.util.List;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.vectorized.WritableColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.util.LongAccumulator;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;

/**
 * Ships each partition of its parent ({@link InternalRow}s, or {@link ColumnarBatch}es where the plan is columnar): one
 * {@link ShippedPartition} a partition. Columns are the features, the weights where there are any, the labels likewise.
 */
final class ShippedRdd extends RDD<ShippedPartition> {
    private static final long serialVersionUID = 1L;
    /** Floats taken from a column at a time: few enough to stay in the cache, and far from what G1 calls humongous. */
    private static final int RUN_VALUES = 8192;

    private final CoralConf conf;
    private final Kind kind;
    private final Shipment shipment;
    private final LongAccumulator partitionsShipped;
    private final LongAccumulator bytesShipped;

    ShippedRdd(RDD<?> parent, CoralConf conf, Kind kind, Shipment shipment) {
        super(parent, ClassTag$.MODULE$.apply(ShippedPartition.class));
        this.conf = conf;
        this.kind = kind;
        this.shipment = shipment;
        this.partitionsShipped = context().longAccumulator("coral.partitionsShipped");
        this.bytesShipped = context().longAccumulator("coral.bytesShipped");
    }

    CoralConf.Passes passes() {
        return conf.passes();
    }

    LongAccumulator partitionsShipped() {
        return partitionsShipped;
    }

    LongAccumulator bytesShipped() {
        return bytesShipped;
    }

    @Override
    public Partition[] getPartitions() {
        return parent().partitions();
    }

    @Override
    public Iterator<ShippedPartition> compute(Partition split, TaskContext context) {
        ShippedPartition shipped = Sessions.refusal(conf, System.getenv()).map(ShippedPartition::refused)
            .orElseGet(() -> ship(split, context));
        return JavaConverters.asScalaIterator(List.of(shipped).iterator());
    }

    private RDD<?> parent() {
        return firstParent(ClassTag$.MODULE$.Any());
    }

    private ShippedPartition ship(Partition split, TaskContext context) {
        long start = System.nanoTime();
        Session session = Sessions.at(conf.address(), conf.reconnect());
        Precision precision = switch (conf.precision()) {
            case AUTO -> session.accelerators().contains(shipment.probe()) ? Precision.DOUBLE : Precision.SINGLE;
            case DOUBLE -> Precision.DOUBLE;
            case SINGLE -> Precision.SINGLE;
        };
        try (PartitionShipper shipper = new PartitionShipper(session, precision, shipment)) {
            Iterator<?> input = parent().iterator(split, context);
            while (input.hasNext()) {
                Object next = input.next();
                if (next instanceof ColumnarBatch batch) {
                    shipColumns(batch, shipper);
                } else {
                    shipRow((InternalRow) next, shipper);
                }
            }
            List<Batch> batches = shipper.finish();
            long bytes = batches.stream().mapToLong(batch -> batch.segment().sizeBytes()).sum();
            long nanos = System.nanoTime() - start;
            count(bytes, nanos);
            ShippedPartition.Info info = new ShippedPartition.Info(shipper.rows(), shipper.features(), shipper.isSparse(),
                precision, session.address(), bytes, nanos, Fallback.of(conf.address(), session), shipper.summary(),
                /* refusal= */ "");
            return new ShippedPartition(info, session, conf, batches, shipper.shift());
        }
    }

    private void count(long bytes, long nanos) {
        partitionsShipped.add(1);
        bytesShipped.add(bytes);
        SparkMetric.PARTITIONS_SHIPPED.add(1);
        SparkMetric.BYTES_SHIPPED.add(bytes);
        SparkMetric.SHIP_NANOS.add(nanos);
    }

    private void shipRow(InternalRow input, PartitionShipper shipper) {
        FeatureRow row = shipper.next();
        row.read(input, 0, kind);
        double weight = shipment.weighted() ? input.getDouble(1) : 1;
        int labelOrdinal = shipment.weighted() ? 2 : 1;
        shipper.append(row, weight, shipment.labelled() ? (int) input.getDouble(labelOrdinal) : PartitionShipper.NO_LABEL);
    }

    /** {@code array<float>} straight from a vectorized reader, where values of one row usually follow those of another. */
    private static void shipColumns(ColumnarBatch batch, PartitionShipper shipper) {
        ColumnVector column = batch.column(0);
        if (column.hasNull() || !(column instanceof WritableColumnVector arrays) || arrays.getChild(0).hasNull()) {
            for (int i = 0; i < batch.numRows(); i++) {
                FeatureRow row = shipper.next();
                row.read(batch.getRow(i), 0, Kind.FLOATS);
                shipper.append(row, 1, PartitionShipper.NO_LABEL);
            }
            return;
        }
        int count;
        for (int row = 0; row < batch.numRows(); row += count) {
            int length = arrays.getArrayLength(row);
            count = runLength(arrays, row, Math.min(batch.numRows(), row + RUN_VALUES / Math.max(1, length)));
            shipRun(arrays.getChild(0).getFloats(arrays.getArrayOffset(row), count * length), count, length, shipper);
        }
    }

    /** How many rows from {@code first} on, at least one, are of its length and follow each other. */
    private static int runLength(WritableColumnVector arrays, int first, int end) {
        int length = arrays.getArrayLength(first);
        int row = first + 1;
        while (row < end && arrays.getArrayLength(row) == length
                && arrays.getArrayOffset(row) == arrays.getArrayOffset(row - 1) + length) {
            row++;
        }
        return row - first;
    }

    private static void shipRun(float[] values, int count, int length, PartitionShipper shipper) {
        if (shipper.append(values, count, length)) {
            return;
        }
        for (int i = 0; i < count; i++) {
            FeatureRow row = shipper.next();
            row.read(values, i * length, length);
            shipper.append(row, 1, PartitionShipper.NO_LABEL);
        }
    }
}
