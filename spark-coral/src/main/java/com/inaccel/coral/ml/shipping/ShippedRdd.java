package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf;
import com.inaccel.coral.ml.CoralConf.Precision;
import com.inaccel.coral.ml.shipping.FeatureRow.Kind;
import java.util.List;
import org.apache.spark.Partition;
import org.apache.spark.TaskContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.vectorized.WritableColumnVector;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarArray;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.util.LongAccumulator;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.reflect.ClassTag$;

/**
 * Ships each partition of its parent ({@link InternalRow}s, or {@link ColumnarBatch}es where the plan is columnar): one
 * {@link ShippedPartition} a partition. Column 0 holds the features, column 1 the weights where there are any.
 */
final class ShippedRdd extends RDD<ShippedPartition> {
    private static final long serialVersionUID = 1L;
    /** A device that lacks the double accelerators has no double compute unit. */
    private static final String DOUBLE_PROBE = "com.inaccel.ml.KMeans.AssignDouble";

    private final CoralConf conf;
    private final Kind kind;
    private final boolean weighted;
    private final boolean normalized;
    private final LongAccumulator partitionsShipped;
    private final LongAccumulator bytesShipped;

    ShippedRdd(RDD<?> parent, CoralConf conf, Kind kind, boolean weighted, boolean normalized) {
        super(parent, ClassTag$.MODULE$.apply(ShippedPartition.class));
        this.conf = conf;
        this.kind = kind;
        this.weighted = weighted;
        this.normalized = normalized;
        this.partitionsShipped = context().longAccumulator("coral.partitionsShipped");
        this.bytesShipped = context().longAccumulator("coral.bytesShipped");
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
        ShippedPartition shipped = ship(split, context);
        return JavaConverters.asScalaIterator(List.of(shipped).iterator());
    }

    private RDD<?> parent() {
        return firstParent(ClassTag$.MODULE$.Any());
    }

    private ShippedPartition ship(Partition split, TaskContext context) {
        long start = System.nanoTime();
        Session session = Sessions.at(conf.address());
        Precision precision = switch (conf.precision()) {
            case AUTO -> session.accelerators().contains(DOUBLE_PROBE) ? Precision.DOUBLE : Precision.SINGLE;
            case DOUBLE -> Precision.DOUBLE;
            case SINGLE -> Precision.SINGLE;
        };
        try (PartitionShipper shipper = new PartitionShipper(session, precision, weighted, normalized)) {
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
            partitionsShipped.add(1);
            bytesShipped.add(bytes);
            ShippedPartition.Info info = new ShippedPartition.Info(shipper.rows(), shipper.features(),
                shipper.isSparse(), precision, session.address(), bytes, System.nanoTime() - start);
            return new ShippedPartition(info, session, conf, batches, shipper.shift());
        }
    }

    private void shipRow(InternalRow input, PartitionShipper shipper) {
        FeatureRow row = shipper.next();
        row.read(input, 0, kind);
        shipper.append(row, weighted ? input.getDouble(1) : 1);
    }

    /** {@code array<float>} straight from a vectorized reader; its values lie one row after another, so one bulk read does. */
    private static void shipColumns(ColumnarBatch batch, PartitionShipper shipper) {
        ColumnVector column = batch.column(0);
        int rows = batch.numRows();
        if (rows == 0) {
            return;
        }
        if (column.hasNull() || !(column instanceof WritableColumnVector arrays) || arrays.getChild(0).hasNull()) {
            for (int i = 0; i < rows; i++) {
                FeatureRow row = shipper.next();
                row.read(batch.getRow(i), 0, Kind.FLOATS);
                shipper.append(row, 1);
            }
            return;
        }
        int start = arrays.getArrayOffset(0);
        int end = start;
        for (int i = 0; i < rows; i++) {
            end = Math.max(end, arrays.getArrayOffset(i) + arrays.getArrayLength(i));
        }
        float[] values = new ColumnarArray(arrays.getChild(0), start, end - start).toFloatArray();
        for (int i = 0; i < rows; i++) {
            FeatureRow row = shipper.next();
            row.read(values, arrays.getArrayOffset(i) - start, arrays.getArrayLength(i));
            shipper.append(row, 1);
        }
    }
}
