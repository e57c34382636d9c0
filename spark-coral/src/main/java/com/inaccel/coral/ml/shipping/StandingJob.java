package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.FutureAction;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.util.ThreadUtils;
import scala.collection.Iterator;
import scala.collection.JavaConverters;
import scala.runtime.AbstractFunction0;
import scala.runtime.AbstractFunction1;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;
import scala.util.Try;

/**
 * A Spark job whose tasks run in the driver's own process, and stay: they do one pass after another as the driver asks for
 * it, by plain calls. Nothing is serialized, and a pass costs the waking of a thread rather than a job. It is a job all the
 * same, so it takes Spark's slots, is killed like any other (a job group cancelled, a button in the UI), and a task's failure
 * is Spark's to count and to report.
 *
 * <p>One thread of the driver asks; the tasks, as many as there are slots, take the positions of a pass in turn.
 */
final class StandingJob {
    /** For tasks to find it by: they run in this process. */
    private static final Map<Long, StandingJob> OPEN = new ConcurrentHashMap<>();
    private static final AtomicLong IDS = new AtomicLong();
    /** How long other jobs wait at most for the slots that a fit holds, the pass under way aside. */
    private static final long TURN_NANOS = TimeUnit.SECONDS.toNanos(2);
    /** How often a waiting task looks whether it was killed. */
    private static final long KILL_POLL_MILLIS = 100;

    private final long id = IDS.incrementAndGet();
    private final FutureAction<Object> job;
    // What follows is guarded by this.
    private final Queue<Integer> waiting = new ArrayDeque<>();
    private Step step;
    private int unfinished; // positions of the pass
    private int busy; // tasks inside of a step
    private boolean reached;
    private long reachedNanos;
    private boolean dismissed;
    private boolean ended;
    private Throwable failure; // of the job

    /** A pass, at one of its positions. */
    @FunctionalInterface
    interface Step {
        /** @param times of the task that does it */
        void run(int position, PassTimes times);
    }

    /** What a task of the job does. */
    private static final class Stand extends AbstractFunction1<Iterator<Integer>, BoxedUnit> implements Serializable {
        private static final long serialVersionUID = 1L;

        private final long id;
        private final PassTimes times;

        Stand(long id, PassTimes times) {
            this.id = id;
            this.times = times;
        }

        @Override
        public BoxedUnit apply(Iterator<Integer> nothing) {
            StandingJob job = OPEN.get(id);
            if (job != null) { // else it has been dismissed, or Spark loaded this class a second time for its tasks
                job.stand(TaskContext.get(), times);
            }
            return BoxedUnit.UNIT;
        }
    }

    private StandingJob(SparkContext spark, int tasks) {
        OPEN.put(id, this);
        RDD<Integer> rdd = new JavaSparkContext(spark).parallelize(Collections.nCopies(tasks, 0), tasks).rdd();
        rdd.setName("coral passes");
        job = spark.submitJob(rdd, new Stand(id, new PassTimes(spark)),
            JavaConverters.asScalaBuffer(IntStream.range(0, tasks).<Object>mapToObj(i -> i).toList()).toSeq(),
            new AbstractFunction2<Object, BoxedUnit, BoxedUnit>() {
                @Override
                public BoxedUnit apply(Object index, BoxedUnit nothing) {
                    return BoxedUnit.UNIT;
                }
            }, new AbstractFunction0<Object>() {
                @Override
                public Object apply() {
                    return BoxedUnit.UNIT;
                }
            });
    }

    static StandingJob start(SparkContext spark, int tasks) {
        StandingJob standing = new StandingJob(spark, tasks);
        standing.job.onComplete(new AbstractFunction1<Try<Object>, BoxedUnit>() {
            @Override
            public BoxedUnit apply(Try<Object> result) {
                standing.end(result.isFailure() ? result.failed().get() : null);
                return BoxedUnit.UNIT;
            }
        }, ThreadUtils.sameThread());
        return standing;
    }

    private synchronized void end(Throwable cause) {
        OPEN.remove(id);
        ended = true;
        failure = cause;
        notifyAll();
    }

    /** Does steps until there will be none, on the thread of one of the job's tasks. */
    private void stand(TaskContext task, PassTimes times) {
        for (Integer position = next(task); position != null; position = next(task)) {
            boolean done = false;
            try {
                step.run(position, times);
                done = true;
            } finally {
                finished(position, done);
            }
        }
    }

    /** Waits for a position; null once the task should go. */
    private synchronized Integer next(TaskContext task) {
        if (!reached) {
            reached = true;
            reachedNanos = System.nanoTime();
        }
        long idleSince = System.nanoTime();
        while (waiting.isEmpty() && !dismissed && System.nanoTime() - idleSince < TURN_NANOS) {
            task.killTaskIfInterrupted();
            try {
                wait(KILL_POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return null; // as Spark kills tasks of jobs that ask for interruption
            }
        }
        task.killTaskIfInterrupted();
        Integer position = waiting.poll();
        busy += position == null ? 0 : 1;
        return position;
    }

    /** A position that failed is for the task that Spark repeats in place of this one, if it does. */
    private synchronized void finished(int position, boolean done) {
        busy--;
        if (done) {
            unfinished--;
        } else {
            waiting.add(position);
        }
        notifyAll();
    }

    /**
     * Does the step for each position below {@code count}, in no order, and waits. If the job ends before, as it does where
     * its tasks cannot reach the driver's memory, positions are left undone. Nothing of the pass runs any more after this.
     *
     * <p>Throws what {@code SparkContext.runJob} would, declared or not: a SparkException where the job failed or was
     * cancelled, now or since the last pass; an InterruptedException where this thread is interrupted, with the job cancelled.
     */
    synchronized void run(int count, Step pass) {
        step = pass;
        unfinished = count;
        IntStream.range(0, count).forEach(waiting::add);
        notifyAll();
        try {
            while (unfinished > 0 && !ended) {
                wait();
            }
        } catch (InterruptedException e) {
            job.cancel();
            raise(e);
        } finally {
            waiting.clear();
            awaitIdle();
        }
        if (unfinished > 0 && failure != null) {
            failure.setStackTrace(Stream.of(failure.getStackTrace(), new Throwable().getStackTrace())
                .flatMap(Arrays::stream).toArray(StackTraceElement[]::new)); // as Spark does: it was made on another thread
            raise(failure);
        }
    }

    private void awaitIdle() {
        boolean interrupted = false;
        while (busy > 0) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
            waiting.clear(); // what a task gave back on its way out
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void raise(Throwable failure) throws E {
        throw (E) failure;
    }

    /** Whether another job should take over: this one has had its turn, or is over without having failed. */
    synchronized boolean isOver() {
        return ended ? failure == null : reached && System.nanoTime() - reachedNanos >= TURN_NANOS;
    }

    /** Whether any of its tasks has found its way here. */
    synchronized boolean isReached() {
        return reached;
    }

    /** Sends the tasks away. Idempotent. */
    synchronized void dismiss() {
        dismissed = true;
        OPEN.remove(id);
        notifyAll();
    }

    /** Waits until Spark knows that the job is over, which it is soon after it was dismissed. */
    synchronized void awaitEnd() {
        try {
            while (!ended) {
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // the tasks go all the same
        }
    }
}
