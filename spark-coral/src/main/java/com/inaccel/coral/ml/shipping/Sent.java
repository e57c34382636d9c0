package com.inaccel.coral.ml.shipping;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.broadcast.Broadcast;
import scala.reflect.ClassTag$;

/**
 * A value that all tasks of a pass need. In the driver's process they share it. A small one travels to others in the tasks,
 * which Spark broadcasts anyway; a large one is a broadcast of its own, lest every task deserializes it again.
 */
public final class Sent<T extends Serializable> implements Serializable, AutoCloseable {
    private static final long serialVersionUID = 1L;
    private static final long SMALL_BYTES = 256 << 10;

    private final transient SparkContext spark; // null where it has arrived, as is the next
    private final transient T here;
    private final T small; // null for a large one
    private Broadcast<T> large; // null for a small one, and until it travels

    Sent(SparkContext spark, T value, long bytes) {
        this.spark = spark;
        this.here = value;
        this.small = bytes <= SMALL_BYTES ? value : null;
    }

    public T value() {
        return here != null ? here : small != null ? small : large.value();
    }

    /** Broadcasts a large value, since only now it is certain that a task of another process wants it. */
    private synchronized void writeObject(ObjectOutputStream out) throws IOException {
        if (small == null && large == null) {
            large = spark.broadcast(here, ClassTag$.MODULE$.apply(here.getClass()));
        }
        out.defaultWriteObject();
    }

    /** Takes a broadcast back from the executors. */
    @Override
    public synchronized void close() {
        if (large != null) {
            large.destroy();
        }
    }
}
