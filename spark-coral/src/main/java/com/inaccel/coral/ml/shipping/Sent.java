package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.broadcast.Broadcast;
import scala.reflect.ClassTag$;

/**
 * A value that all tasks of a pass need. A small one travels in the tasks, which Spark broadcasts anyway; a large one is a
 * broadcast of its own, lest every task deserializes it again.
 */
public final class Sent<T extends Serializable> implements Serializable, AutoCloseable {
    private static final long serialVersionUID = 1L;
    private static final long SMALL_BYTES = 256 << 10;

    private final T small;
    private final Broadcast<T> large;

    Sent(SparkContext spark, T value, long bytes) {
        boolean isSmall = bytes <= SMALL_BYTES;
        this.small = isSmall ? value : null;
        this.large = isSmall ? null : spark.broadcast(value, ClassTag$.MODULE$.apply(value.getClass()));
    }

    public T value() {
        return large == null ? small : large.value();
    }

    /** Takes a broadcast back from the executors. */
    @Override
    public void close() {
        if (large != null) {
            large.destroy();
        }
    }
}
