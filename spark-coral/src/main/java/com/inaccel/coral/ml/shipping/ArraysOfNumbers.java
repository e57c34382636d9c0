package com.inaccel.coral.ml.shipping;

import java.util.Arrays;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Columns of {@code array<float|double>} whose type allows nulls. MLlib refuses the type; what Parquet files hold is always
 * of it, whether there are nulls or not.
 */
public final class ArraysOfNumbers {
    private ArraysOfNumbers() { }

    /** Where the column is, if it is such a column; else -1. */
    public static int indexOf(StructType schema, String column) {
        int index = Arrays.asList(schema.fieldNames()).indexOf(column);
        return index >= 0 && schema.fields()[index].dataType() instanceof ArrayType array && array.containsNull()
            ? index : -1;
    }

    /** The schema as it would be if the column's type allowed no nulls. */
    public static StructType withoutNulls(StructType schema, int column) {
        StructField[] fields = schema.fields().clone();
        StructField field = fields[column];
        ArrayType array = (ArrayType) field.dataType();
        fields[column] = new StructField(field.name(), new ArrayType(array.elementType(), false), field.nullable(),
            field.metadata());
        return new StructType(fields);
    }

    /** The dataset with a column that MLlib's models take; a null becomes NaN. */
    public static Dataset<Row> withoutNulls(Dataset<?> dataset, String column) {
        int index = indexOf(dataset.schema(), column);
        if (index < 0) {
            return dataset.toDF();
        }
        ArrayType array = (ArrayType) dataset.schema().fields()[index].dataType();
        return dataset.withColumn(column, functions.transform(dataset.col(column),
            element -> functions.coalesce(element, functions.lit(Double.NaN).cast(array.elementType()))));
    }
}
