package com.inaccel.coral.bench;

import java.io.Serializable;
import java.util.function.LongFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * What is fitted, and how: the same for every contestant.
 *
 * <p>Row {@code i} depends on the seed and {@code i} alone, so that any process, in any partitioning, makes the same rows.
 */
interface Workload extends Serializable {
    String FEATURES = "features";
    String LABEL = "label";

    long rows();

    int features();

    /** That it stores: fewer than its features where it is sparse. */
    default int valuesOfARow() {
        return features();
    }

    /** At most. */
    int iterations();

    /** Of the rows, and of what a fit draws. */
    long seed();

    Workload withRows(long count);

    /** Of Spark's table: a column {@link #FEATURES} of vectors, and {@link #LABEL} of doubles where there are labels. */
    StructType schema();

    /** Makes the row of an index, for that schema. Not thread-safe. */
    LongFunction<Row> rowMaker();

    /** What to seed the generator of one row with. */
    static long rowSeed(long seed, long index) {
        return seed ^ (index + 1) * 0x9E3779B97F4A7C15L;
    }
}
