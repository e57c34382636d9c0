package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Session;
import com.inaccel.coral.ml.CoralConf.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes the rows of one partition into batches, reading each row once.
 *
 * <p>The first row decides whether the partition is dense or sparse; rows of the other kind are converted. In single
 * precision a feature that lies far from zero compared with its spread (a timestamp, say) is shifted while it is narrowed,
 * so that it keeps its digits; in double too where rows have labels, lest sums of products with its values drown in their
 * rounding. The first rows, which decide that, wait on the heap until they have.
 */
final class PartitionShipper implements AutoCloseable {
    static final int NO_LABEL = -1;
    /** Rows that the shift is taken from, and that a sparse row's length is estimated from. */
    private static final int HEAD_ROWS = 64;
    /*
     * Segments grow fast, since each costs every pass a request; what the last one does not need goes back when it is
     * sealed. Their sizes depend on the rows alone, never on how much memory is free: sums are rounded batch by batch, so
     * other sizes would be other bits.
     */
    private static final long FIRST_SEGMENT_BYTES = 32L << 20;
    private static final long LARGEST_SEGMENT_BYTES = 256L << 20;
    private static final int SEGMENT_GROWTH = 4;

    private final Session session;
    private final Precision precision;
    private final Shipment shipment;
    private final FeatureSummarizer summarizer; // null where no summary is asked for
    private final List<FeatureRow> head = new ArrayList<>();
    private final List<Beside> headBeside = new ArrayList<>();
    private final List<Batch> batches = new ArrayList<>();
    private BatchWriter.Layout layout;
    private BatchWriter writer;
    private double[] run = new double[0];
    private long nextSegmentBytes = FIRST_SEGMENT_BYTES;
    private long rows;
    private int features = -1;
    private boolean sparse;

    /** What a row has beside its features. */
    private record Beside(double weight, int label, double norm) { }

    PartitionShipper(Session session, Precision precision, Shipment shipment) {
        this.session = session;
        this.precision = precision;
        this.shipment = shipment;
        this.summarizer = shipment.summarized() ? new FeatureSummarizer() : null;
    }

    /** The row that the caller fills before each {@link #append}. */
    FeatureRow next() {
        if (layout != null) {
            return head.get(0);
        }
        head.add(new FeatureRow());
        return head.get(head.size() - 1);
    }

    /**
     * Ships the row last returned by {@link #next}.
     *
     * @param weight 1 where rows have no weight
     * @param label {@link #NO_LABEL} where rows have none
     */
    void append(FeatureRow row, double weight, int label) {
        if (rows == 0) {
            features = row.size;
            sparse = row.sparse;
        } else if (row.size != features) {
            throw new IllegalArgumentException("vectors of different sizes: size=" + row.size
                + ", expected=" + features + ", as in the rows before it");
        }
        rows++;
        double norm = shipment.normalized() ? row.normalize() : 1;
        if (sparse) {
            row.toSparse();
        } else {
            row.toDense();
        }
        if (summarizer != null) {
            summarizer.add(row, weight, label);
        }
        if (layout != null) {
            write(row, weight, label, norm);
            return;
        }
        headBeside.add(new Beside(weight, label, norm));
        if (head.size() == HEAD_ROWS) {
            settleLayout();
        }
    }

    /**
     * Ships {@code count} rows of {@code length} floats that follow each other, without weights or labels, in one go.
     *
     * @return false, with nothing shipped, where they must be taken row by row: because rows before them are of another
     *     kind, the first ones or changed on the way, or because these hold what is to be refused
     */
    boolean append(float[] values, int count, int length) {
        boolean asTheyAre =
            layout != null && layout.shift() == null && !sparse && precision == Precision.DOUBLE && !shipment.normalized();
        if (!asTheyAre || length != features) {
            return false;
        }
        if (run.length < count * length) {
            run = new double[count * length];
        }
        if (!FeatureRow.widen(values, count * length, run)) {
            return false;
        }
        for (int i = 0; i < count && summarizer != null; i++) {
            summarizer.add(run, i * length, length, 1, NO_LABEL);
        }
        int done = 0;
        while (done < count) {
            makeRoomFor(length);
            done += writer.append(run, done, count - done);
        }
        rows += count;
        return true;
    }

    /** What was shipped; the batches are the caller's from here on. */
    List<Batch> finish() {
        if (layout == null && !head.isEmpty()) {
            settleLayout();
        }
        if (writer != null) {
            batches.add(writer.finish());
            writer = null;
        }
        List<Batch> shipped = List.copyOf(batches);
        batches.clear();
        return shipped;
    }

    long rows() {
        return rows;
    }

    /** Dimension of the rows; -1 where there was none. */
    int features() {
        return features;
    }

    boolean isSparse() {
        return sparse;
    }

    /** What the rows, as they were shipped, have in common; null where that is not asked for. To be called once. */
    FeatureSummary summary() {
        return summarizer == null ? null : summarizer.finish();
    }

    /** What was subtracted from every row, or null. */
    double[] shift() {
        return layout == null ? null : layout.shift();
    }

    private void settleLayout() {
        double valuesPerRow = head.stream().mapToInt(row -> row.count).average().orElseThrow();
        boolean shifted = !sparse && (precision == Precision.SINGLE || shipment.labelled());
        layout = new BatchWriter.Layout(shipment, features, sparse, precision, Math.max(1, valuesPerRow),
            shifted ? shiftOfHead() : null);
        for (int i = 0; i < head.size(); i++) {
            Beside beside = headBeside.get(i);
            write(head.get(i), beside.weight, beside.label, beside.norm);
        }
        head.subList(1, head.size()).clear();
        headBeside.clear();
    }

    /**
     * The middle of each feature, to a power of two well above its spread: zero for features around zero, and for the
     * others the same in every partition of like data, so that equal rows stay equal wherever they lie. Null where it is zero
     * for all.
     */
    private double[] shiftOfHead() {
        double[] shift = new double[features];
        for (int i = 0; i < features; i++) {
            double least = Double.POSITIVE_INFINITY;
            double most = Double.NEGATIVE_INFINITY;
            for (FeatureRow row : head) {
                least = Math.min(least, row.values[i]);
                most = Math.max(most, row.values[i]);
            }
            double spread = most - least;
            double grid = 8 * Double.MIN_NORMAL + Math.scalb(1.0, Math.getExponent(spread) + 3);
            double rounded = Math.rint((least / 2 + most / 2) / grid) * grid;
            shift[i] = spread == 0 ? least : Double.isFinite(rounded) ? rounded : 0;
        }
        return Arrays.stream(shift).allMatch(value -> value == 0) ? null : shift;
    }

    private void write(FeatureRow row, double weight, int label, double norm) {
        makeRoomFor(row.count);
        writer.append(row, weight, label, norm);
    }

    private void makeRoomFor(int values) {
        if (writer != null && !writer.hasRoomFor(values)) {
            batches.add(writer.finish());
            writer = null;
        }
        if (writer == null) {
            writer = new BatchWriter(session, layout, nextSegmentBytes, values);
            nextSegmentBytes = Math.min(SEGMENT_GROWTH * nextSegmentBytes, LARGEST_SEGMENT_BYTES);
        }
    }

    /** Gives back what was not handed over. */
    @Override
    public void close() {
        if (writer != null) {
            writer.close();
            writer = null;
        }
        batches.forEach(Batch::close);
        batches.clear();
    }
}
