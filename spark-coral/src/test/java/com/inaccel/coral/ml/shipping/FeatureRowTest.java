package com.inaccel.coral.ml.shipping;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FeatureRowTest {
    private static final double[] VALUES = IntStream.range(0, 130).asDoubleStream().toArray();

    private static FeatureRow read(ArrayData array) {
        InternalRow row = new GenericInternalRow(new Object[] {array});
        FeatureRow features = new FeatureRow();
        features.read(row, 0, FeatureRow.Kind.DOUBLES);
        return features;
    }

    @Test
    void shouldReadArraysOfBothKinds() {
        assertThat(read(UnsafeArrayData.fromPrimitiveArray(VALUES)).values).startsWith(VALUES);
        assertThat(read(new GenericArrayData(VALUES)).values).startsWith(VALUES);
    }

    /** At both ends of each word of the bits that say what is null. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 63, 64, 127, 128, 129})
    void shouldNameTheFirstNull(int at) {
        UnsafeArrayData unsafe = UnsafeArrayData.fromPrimitiveArray(VALUES);
        Object[] boxed = Arrays.stream(VALUES).boxed().toArray();
        for (int index : new int[] {at, 129}) {
            unsafe.setNullAt(index);
            boxed[index] = null;
        }
        for (ArrayData array : new ArrayData[] {unsafe, new GenericArrayData(boxed)}) {
            assertThatThrownBy(() -> read(array)).hasMessage("Vector values MUST NOT be Null, but element " + at + " is");
        }
    }
}
