package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.LongAccumulator;

/** What the requests of one Spark job's tasks took, as accumulators that the stage's page in Spark's UI shows. */
final class PassTimes implements Serializable {
    private static final long serialVersionUID = 1L;

    private final LongAccumulator queueNanos;
    private final LongAccumulator transferNanos;
    private final LongAccumulator runNanos;

    PassTimes(SparkContext spark) {
        queueNanos = spark.longAccumulator("coral.queueNanos");
        transferNanos = spark.longAccumulator("coral.transferNanos");
        runNanos = spark.longAccumulator("coral.runNanos");
    }

    /** In a task, which has copies of its own. */
    void add(RunStats stats) {
        queueNanos.add(stats.queueNanos());
        transferNanos.add(stats.transferNanos());
        runNanos.add(stats.runNanos());
    }
}
