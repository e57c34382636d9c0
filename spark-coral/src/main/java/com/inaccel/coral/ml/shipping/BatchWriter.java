package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.Segment;
import com.inaccel.coral.SegmentAllocator;
import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf.Precision;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.spark.unsafe.Platform;

/**
 * Fills one segment with rows: the rows' own numbers first (row starts, weights, labels, norms), their features last, so that
 * sealing can give back all that was not needed.
 *
 * <p>Buffers are Arrow's, carved out of the segment: writing them is writing shared memory. Their validity bitmaps are
 * left out, as Arrow allows where nothing is null, because zeroing what is then overwritten would double the writes.
 */
final class BatchWriter implements AutoCloseable {
    private final Layout layout;
    private final Segment segment;
    private final SegmentAllocator allocator;
    private final List<ArrowBuf> buffers = new ArrayList<>();
    private final int rowCapacity;
    private final long valueCapacity;
    private final ArrowBuf rowStarts;
    private final ArrowBuf weights;
    private final ArrowBuf labels;
    private final ArrowBuf norms;
    private final ArrowBuf indices;
    private final ArrowBuf values;
    private float[] narrow = new float[0];
    private double[] wide = new double[0];
    private int rows;
    private long valueCount;

    /**
     * What every row of a partition has.
     *
     * @param features dimension
     * @param valuesPerRow stored values of a row: exact for dense rows, an estimate for sparse ones
     * @param shift subtracted from each feature before it is stored; null where nothing is
     */
    record Layout(Shipment shipment, int features, boolean sparse, Precision precision, double valuesPerRow,
            double[] shift) {
        int valueBytes() {
            return precision == Precision.DOUBLE ? Double.BYTES : Float.BYTES;
        }

        private long rowOverheadBytes() {
            return (sparse ? (long) Integer.BYTES : 0) + (shipment.weighted() ? Double.BYTES : 0)
                + (shipment.labelled() ? Integer.BYTES : 0) + (shipment.normalized() ? Double.BYTES : 0);
        }

        double rowBytes() {
            return rowOverheadBytes() + valuesPerRow * (valueBytes() + (sparse ? Integer.BYTES : 0));
        }
    }

    /** Page of slack for each of the six buffers. */
    private static final long SLACK_BYTES = 6 * 4096;

    BatchWriter(Session session, Layout layout, long targetBytes, int leastValues) {
        this.layout = layout;
        double rowBytes = Math.max(1, layout.rowBytes());
        this.rowCapacity = (int) Math.min(Integer.MAX_VALUE - 8, Math.max(1, (long) (targetBytes / rowBytes)));
        this.valueCapacity = layout.sparse
            ? Math.max(leastValues, (long) Math.ceil(rowCapacity * layout.valuesPerRow))
            : (long) rowCapacity * layout.features;
        long bytes = SLACK_BYTES + (rowCapacity + 1L) * layout.rowOverheadBytes()
            + valueCapacity * (layout.valueBytes() + (layout.sparse ? Integer.BYTES : 0));
        if (bytes > Segment.MAX_BYTES) {
            throw new IllegalArgumentException("row too wide for a segment: storedValues=" + leastValues
                + ", bytes=" + bytes + ", limitBytes=" + Segment.MAX_BYTES);
        }
        this.segment = session.allocate(bytes);
        SegmentAllocator opened = null;
        try {
            opened = SegmentAllocator.over(segment);
            this.allocator = opened;
            this.rowStarts = layout.sparse ? buffer((rowCapacity + 1L) * Integer.BYTES) : null;
            this.weights = layout.shipment.weighted() ? buffer((long) rowCapacity * Double.BYTES) : null;
            this.labels = layout.shipment.labelled() ? buffer((long) rowCapacity * Integer.BYTES) : null;
            this.norms = layout.shipment.normalized() ? buffer((long) rowCapacity * Double.BYTES) : null;
            this.indices = layout.sparse ? buffer(valueCapacity * Integer.BYTES) : null;
            this.values = buffer(valueCapacity * layout.valueBytes());
        } catch (RuntimeException e) {
            buffers.forEach(ArrowBuf::close);
            if (opened != null) {
                opened.close();
            }
            segment.close();
            throw e;
        }
        if (layout.sparse) {
            rowStarts.setInt(0, 0);
        }
    }

    private ArrowBuf buffer(long bytes) {
        ArrowBuf buffer = allocator.arrow().buffer(bytes);
        buffers.add(buffer);
        return buffer;
    }

    boolean hasRoomFor(int count) {
        return rows < rowCapacity && count <= valueCapacity - valueCount;
    }

    /** Room must have been asked for. */
    void append(FeatureRow row, double weight, int label, double norm) {
        write(row.values, row.count, values.memoryAddress() + valueCount * layout.valueBytes());
        if (layout.sparse) {
            Platform.copyMemory(row.indices, Platform.INT_ARRAY_OFFSET, null,
                indices.memoryAddress() + valueCount * Integer.BYTES, (long) row.count * Integer.BYTES);
            rowStarts.setInt((rows + 1L) * Integer.BYTES, (int) (valueCount + row.count));
        }
        if (weights != null) {
            weights.setDouble((long) rows * Double.BYTES, weight);
        }
        if (labels != null) {
            labels.setInt((long) rows * Integer.BYTES, label);
        }
        if (norms != null) {
            norms.setDouble((long) rows * Double.BYTES, norm);
        }
        valueCount += row.count;
        rows++;
    }

    /** Takes as many of the dense rows from {@code first} on as there is room for, in double; returns how many. */
    int append(double[] source, int first, int count) {
        int taken = Math.min(count, rowCapacity - rows);
        long bytes = (long) taken * layout.features * Double.BYTES;
        Platform.copyMemory(source, Platform.DOUBLE_ARRAY_OFFSET + (long) first * layout.features * Double.BYTES, null,
            values.memoryAddress() + valueCount * Double.BYTES, bytes);
        valueCount += (long) taken * layout.features;
        rows += taken;
        return taken;
    }

    private void write(double[] source, int count, long address) {
        if (layout.precision == Precision.DOUBLE) {
            double[] stored = layout.shift == null ? source : shifted(source, count);
            Platform.copyMemory(stored, Platform.DOUBLE_ARRAY_OFFSET, null, address, (long) count * Double.BYTES);
            return;
        }
        if (narrow.length < count) {
            narrow = new float[count];
        }
        if (layout.shift == null) {
            for (int i = 0; i < count; i++) {
                narrow[i] = (float) source[i];
            }
        } else {
            for (int i = 0; i < count; i++) {
                narrow[i] = (float) (source[i] - layout.shift[i]);
            }
        }
        Platform.copyMemory(narrow, Platform.FLOAT_ARRAY_OFFSET, null, address, (long) count * Float.BYTES);
    }

    private double[] shifted(double[] source, int count) {
        if (wide.length < count) {
            wide = new double[count];
        }
        for (int i = 0; i < count; i++) {
            wide[i] = source[i] - layout.shift[i];
        }
        return wide;
    }

    /** Seals the segment and hands it over: it is the batch's from here on. */
    Batch finish() {
        Argument.Slice features = slice(values, valueCount * layout.valueBytes());
        segment.seal(features.offsetBytes() + features.lengthBytes());
        Batch batch = new Batch(segment, rows, features,
            layout.sparse ? slice(rowStarts, (rows + 1L) * Integer.BYTES) : null,
            layout.sparse ? slice(indices, valueCount * Integer.BYTES) : null,
            weights != null ? slice(weights, (long) rows * Double.BYTES) : Batch.slice(segment, 0, 0),
            labels != null ? slice(labels, (long) rows * Integer.BYTES) : Batch.slice(segment, 0, 0),
            norms != null ? slice(norms, (long) rows * Double.BYTES) : null);
        releaseBuffers();
        return batch;
    }

    private Argument.Slice slice(ArrowBuf buffer, long lengthBytes) {
        return allocator.slice(buffer, lengthBytes, Access.READ);
    }

    private void releaseBuffers() {
        buffers.forEach(ArrowBuf::close);
        buffers.clear();
        allocator.close();
    }

    /** Gives everything back; not to be called after {@link #finish}. */
    @Override
    public void close() {
        releaseBuffers();
        segment.close();
    }
}
