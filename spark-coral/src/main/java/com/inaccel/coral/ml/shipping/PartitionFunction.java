package com.inaccel.coral.ml.shipping;

import java.io.Serializable;

/** What a task does with one shipped partition; {@code R} travels to the driver, so it is serializable and never null. */
@FunctionalInterface
public interface PartitionFunction<R> extends Serializable {
    R apply(ShippedPartition partition, int index, RunStats stats);
}
