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
 * Fills one segment with rows: the rows' own numbers first (row starts, weights, norms), their features last, so that
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
    private final ArrowBuf norms;
    private final ArrowBuf indices;
    private final ArrowBuf values;
    private float[] narrow = new float[0];
    private int rows;
    private long valueCount;

    /**
     * What every row of a partition has.
     *
     * @param features dimension
     * @param valuesPerRow stored values of a row: exact for dense rows, an estimate for sparse ones
     * @param shift subtracted from each feature before it is narrowed to single; null in double and for sparse rows
     */
    record Layout(int features, boolean sparse, Precision precision, boolean weighted, boolean normalized,
            double valuesPerRow, double[] shift) {
        int valueBytes() {
            return precision == Precision.DOUBLE ? Double.BYTES : Float.BYTES;
        }

        private long rowOverheadBytes() {
            return (sparse ? (long) Integer.BYTES : 0) + (weighted ? Double.BYTES : 0) + (normalized ? Double.BYTES : 0);
        }

        double rowBytes() {
            return rowOverheadBytes() + valuesPerRow * (valueBytes() + (sparse ? Integer.BYTES : 0));
        }
    }

    /** Page of slack for each of the five buffers. */
    private static final long SLACK_BYTES = 5 * 4096;

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
            this.weights = layout.weighted ? buffer((long) rowCapacity * Double.BYTES) : null;
            this.norms = layout.normalized ? buffer((long) rowCapacity * Double.BYTES) : null;
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
    void append(FeatureRow row, double weight, double norm) {
        write(row.values, row.count, values.memoryAddress() + valueCount * layout.valueBytes());
        if (layout.sparse) {
            Platform.copyMemory(row.indices, Platform.INT_ARRAY_OFFSET, null,
                indices.memoryAddress() + valueCount * Integer.BYTES, (long) row.count * Integer.BYTES);
            rowStarts.setInt((rows + 1L) * Integer.BYTES, (int) (valueCount + row.count));
        }
        if (layout.weighted) {
            weights.setDouble((long) rows * Double.BYTES, weight);
        }
        if (layout.normalized) {
            norms.setDouble((long) rows * Double.BYTES, norm);
        }
        valueCount += row.count;
        rows++;
    }

    private void write(double[] source, int count, long address) {
        if (layout.precision == Precision.DOUBLE) {
            Platform.copyMemory(source, Platform.DOUBLE_ARRAY_OFFSET, null, address, (long) count * Double.BYTES);
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

    /** Seals the segment and hands it over: it is the batch's from here on. */
    Batch finish() {
        Argument.Slice features = slice(values, valueCount * layout.valueBytes());
        segment.seal(features.offsetBytes() + features.lengthBytes());
        Batch batch = new Batch(segment, rows, features,
            layout.sparse ? slice(rowStarts, (rows + 1L) * Integer.BYTES) : null,
            layout.sparse ? slice(indices, valueCount * Integer.BYTES) : null,
            layout.weighted ? slice(weights, (long) rows * Double.BYTES) : Batch.slice(segment, 0, 0),
            layout.normalized ? slice(norms, (long) rows * Double.BYTES) : null);
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
