package com.inaccel.coral.ml.shipping;

import org.apache.spark.mllib.linalg.VectorUDT;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.unsafe.Platform;

/**
 * One row's features, decoded into buffers that the next row overwrites: dense ({@link #indices} unused, {@code count ==
 * size}) or sparse. The layout of a vector column's struct is {@link VectorUDT}'s: type, size, indices, values.
 */
final class FeatureRow {
    /** Spark's words for the two kinds of column. */
    enum Kind {
        VECTOR, FLOATS, DOUBLES;

        static Kind of(DataType type) {
            if (type instanceof ArrayType array) {
                return array.elementType() instanceof FloatType ? FLOATS : DOUBLES;
            }
            return VECTOR;
        }
    }

    private static final int VECTOR_FIELDS = 4;
    private static final byte DENSE = 1;
    private static final int EXPONENT = 0x7f80_0000;
    private static final int LEAST_EXPONENT = 0x0080_0000;

    boolean sparse;
    /** Dimension of the vector. */
    int size;
    /** Stored values. */
    int count;
    int[] indices = new int[0];
    double[] values = new double[0];

    /**
     * Reads column {@code ordinal}.
     *
     * @throws RuntimeException as MLlib raises for null vectors and values that are not finite
     */
    void read(InternalRow row, int ordinal, Kind kind) {
        if (row.isNullAt(ordinal)) {
            throw new RuntimeException("Vectors MUST NOT be Null");
        }
        switch (kind) {
            case VECTOR -> readVector(row.getStruct(ordinal, VECTOR_FIELDS));
            case FLOATS -> readFloats(row.getArray(ordinal));
            case DOUBLES -> readDense(row.getArray(ordinal));
        }
        requireFinite();
    }

    /** Takes {@code length} floats from {@code source}, as a dense row. */
    void read(float[] source, int offset, int length) {
        startDense(length);
        for (int i = 0; i < length; i++) {
            values[i] = source[offset + i];
        }
        requireFinite();
    }

    /**
     * Widens {@code count} floats; whether they are all finite. Adding one to an exponent of ones alone carries into the
     * sign, which is all that is looked at in the end.
     */
    static boolean widen(float[] source, int count, double[] into) {
        int carries = 0;
        for (int i = 0; i < count; i++) {
            carries |= (Float.floatToRawIntBits(source[i]) & EXPONENT) + LEAST_EXPONENT;
            into[i] = source[i];
        }
        return carries >= 0;
    }

    /** Scales to unit length and returns the length that it had. */
    double normalize() {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += values[i] * values[i];
        }
        double norm = Math.sqrt(sum);
        if (!(norm > 0)) {
            throw new AssertionError("Cosine distance is not defined for zero-length vectors.");
        }
        for (int i = 0; i < count; i++) {
            values[i] /= norm;
        }
        return norm;
    }

    /** Turns a dense row into the same row with all its values stored. */
    void toSparse() {
        if (!sparse) {
            ensureIndices(count);
            for (int i = 0; i < count; i++) {
                indices[i] = i;
            }
            sparse = true;
        }
    }

    /** Turns a sparse row into the same row with its zeros stored. */
    void toDense() {
        if (sparse) {
            double[] dense = new double[size];
            for (int i = 0; i < count; i++) {
                dense[indices[i]] = values[i];
            }
            values = dense;
            count = size;
            sparse = false;
        }
    }

    private void readVector(InternalRow struct) {
        ArrayData stored = struct.getArray(3);
        if (struct.getByte(0) == DENSE) {
            readDense(stored);
            return;
        }
        sparse = true;
        size = struct.getInt(1);
        count = stored.numElements();
        ensureIndices(count);
        ensureValues(count);
        ArrayData storedIndices = struct.getArray(2);
        if (storedIndices instanceof UnsafeArrayData unsafe) {
            Platform.copyMemory(unsafe.getBaseObject(), elements(unsafe), indices, Platform.INT_ARRAY_OFFSET,
                (long) count * Integer.BYTES);
        } else {
            for (int i = 0; i < count; i++) {
                indices[i] = storedIndices.getInt(i);
            }
        }
        copyValues(stored);
    }

    private void readDense(ArrayData stored) {
        startDense(stored.numElements());
        requireNoNulls(stored);
        copyValues(stored);
    }

    private void readFloats(ArrayData stored) {
        startDense(stored.numElements());
        requireNoNulls(stored);
        for (int i = 0; i < count; i++) {
            values[i] = stored.getFloat(i);
        }
    }

    private void copyValues(ArrayData stored) {
        if (stored instanceof UnsafeArrayData unsafe) {
            Platform.copyMemory(unsafe.getBaseObject(), elements(unsafe), values, Platform.DOUBLE_ARRAY_OFFSET,
                (long) count * Double.BYTES);
        } else {
            for (int i = 0; i < count; i++) {
                values[i] = stored.getDouble(i);
            }
        }
    }

    private static long elements(UnsafeArrayData array) {
        return array.getBaseOffset() + UnsafeArrayData.calculateHeaderPortionInBytes(array.numElements());
    }

    private static void requireNoNulls(ArrayData stored) {
        int first = stored instanceof UnsafeArrayData unsafe ? firstNull(unsafe) : firstNull(stored);
        if (first < stored.numElements()) {
            throw new RuntimeException("Vector values MUST NOT be Null, but element " + first + " is");
        }
    }

    private static int firstNull(ArrayData array) {
        int index = 0;
        while (index < array.numElements() && !array.isNullAt(index)) {
            index++;
        }
        return index;
    }

    /** Word by word of its bits, which follow the number of its elements: asking for each took longer than copying all of them. */
    private static int firstNull(UnsafeArrayData array) {
        for (int from = 0; from < array.numElements(); from += Long.SIZE) {
            long nulls = Platform.getLong(array.getBaseObject(), array.getBaseOffset() + Long.BYTES + from / Byte.SIZE);
            if (nulls != 0) {
                return from + Long.numberOfTrailingZeros(nulls);
            }
        }
        return array.numElements();
    }

    private void startDense(int length) {
        sparse = false;
        size = length;
        count = length;
        ensureValues(length);
    }

    private void ensureIndices(int length) {
        if (indices.length < length) {
            indices = new int[length];
        }
    }

    private void ensureValues(int length) {
        if (values.length < length) {
            values = new double[length];
        }
    }

    /** Zero times anything finite is zero, and NaN otherwise; four sums keep the additions independent. */
    private void requireFinite() {
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i + 3 < count; i += 4) {
            a += values[i] * 0;
            b += values[i + 1] * 0;
            c += values[i + 2] * 0;
            d += values[i + 3] * 0;
        }
        for (; i < count; i++) {
            a += values[i] * 0;
        }
        if (Double.isNaN(a + b + c + d)) {
            throw new RuntimeException("Vector values MUST NOT be NaN or Infinity, but got " + describe());
        }
    }

    private String describe() {
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < count; i++) {
            text.append(i == 0 ? "" : ",").append(values[i]);
        }
        return text.append(']').toString();
    }
}
