package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Argument.Access;
import com.inaccel.coral.Segment;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.IntBuffer;

/**
 * Rows of one partition in one sealed segment, as columns in Arrow's layout without validity (nothing is null): dense
 * features are a {@code FixedSizeList<float|double>[d]}, sparse ones the three buffers of a CSR matrix.
 *
 * @param rows number of rows
 * @param features dense: the matrix, row-major; sparse: the values of the non-zeros
 * @param rowStarts sparse only: {@code int[rows + 1]}, where each row's non-zeros start
 * @param indices sparse only: {@code int[]}, the feature of each non-zero, ascending within a row
 * @param weights {@code double[rows]}; of length 0 where rows have no weight
 * @param labels {@code int[rows]}; of length 0 where rows have no label
 * @param norms {@code double[rows]}, the rows' lengths before they were normalized; null where they were not
 */
public record Batch(Segment segment, int rows, Argument.Slice features, Argument.Slice rowStarts,
        Argument.Slice indices, Argument.Slice weights, Argument.Slice labels, Argument.Slice norms) implements AutoCloseable {

    static Argument.Slice slice(Segment segment, long offsetBytes, long lengthBytes) {
        return new Argument.Slice(segment, offsetBytes, lengthBytes, Access.READ);
    }

    /** The slice's memory, in native byte order. */
    public static ByteBuffer buffer(Argument.Slice slice) {
        return slice.segment().buffer(slice.offsetBytes(), slice.lengthBytes());
    }

    public static DoubleBuffer doubles(Argument.Slice slice) {
        return buffer(slice).asDoubleBuffer();
    }

    public static IntBuffer ints(Argument.Slice slice) {
        return buffer(slice).asIntBuffer();
    }

    @Override
    public void close() {
        segment.close();
    }
}
