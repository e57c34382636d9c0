package com.inaccel.coral.bench;

import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import scala.collection.JavaConverters;

/** Counts the Spark jobs of a fit, and those of MLlib's that evaluate a loss. */
final class JobCounter extends SparkListener {
    /** The one place in MLlib that evaluates losses; Spark names a stage after the place that started its job. */
    private static final String EVALUATING = "RDDLossFunction.scala";

    private final SparkContext spark;
    private final AtomicInteger jobs = new AtomicInteger();
    private final AtomicInteger evaluations = new AtomicInteger();

    private JobCounter(SparkContext spark) {
        this.spark = spark;
    }

    static JobCounter of(SparkContext spark) {
        JobCounter counter = new JobCounter(spark);
        spark.addSparkListener(counter);
        return counter;
    }

    @Override
    public void onJobStart(SparkListenerJobStart start) {
        jobs.incrementAndGet();
        if (JavaConverters.seqAsJavaList(start.stageInfos()).stream()
                .anyMatch(stage -> stage.name().contains(EVALUATING))) {
            evaluations.incrementAndGet();
        }
    }

    void reset() {
        settle();
        jobs.set(0);
        evaluations.set(0);
    }

    /** Listeners hear late: waits until all that has happened so far is counted. */
    void settle() {
        try {
            spark.listenerBus().waitUntilEmpty();
        } catch (TimeoutException stuck) {
            throw new IllegalStateException("Spark does not tell its listeners what happened", stuck);
        }
    }

    int jobs() {
        return jobs.get();
    }

    int evaluations() {
        return evaluations.get();
    }
}
