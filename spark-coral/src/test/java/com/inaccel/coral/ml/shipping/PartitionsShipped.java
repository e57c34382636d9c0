package com.inaccel.coral.ml.shipping;

import static com.inaccel.coral.ml.SparkTest.spark;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import scala.collection.JavaConverters;

/** Counts the partitions that tasks ship while it listens. */
public final class PartitionsShipped extends SparkListener {
    private final AtomicLong count = new AtomicLong();

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
        JavaConverters.seqAsJavaList(end.taskInfo().accumulables().toSeq()).stream()
            .filter(update -> update.name().contains("coral.partitionsShipped") && update.update().isDefined())
            .forEach(update -> count.addAndGet(((Number) update.update().get()).longValue()));
    }

    public long count() throws Exception {
        spark().sparkContext().listenerBus().waitUntilEmpty();
        return count.get();
    }
}
