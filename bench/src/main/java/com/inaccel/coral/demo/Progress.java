package com.inaccel.coral.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobEnd;

/**
 * Shows on standard error how far a fit is, by the Spark jobs that it has ended: of MLlib's about one an
 * iteration, of Coral's only a few.
 *
 * <p>A bar where standard error is a terminal; where it is not, one line a fit, so that log files stay readable.
 */
final class Progress implements AutoCloseable {
    private static final int WIDTH = 78;

    private final Runnable end;

    private Progress(Runnable end) {
        this.end = end;
    }

    /**
     * Counts the jobs of this context until it is closed.
     *
     * @param jobs how many there will be, about: only the bar's first guess depends on it
     */
    static Progress of(SparkContext context, String task, int jobs) {
        if (!standardErrorIsTerminal()) {
            System.err.println(task + " ...");
            return new Progress(() -> { });
        }
        ProgressBar bar = new ProgressBarBuilder()
            .setTaskName(task)
            .setInitialMax(jobs)
            .setUnit(" jobs", 1)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(100)
            .setConsumer(new ConsoleProgressBarConsumer(System.err, WIDTH))
            .hideEta()
            .build();
        SparkListener listener = new JobListener(bar);
        context.addSparkListener(listener);
        return new Progress(() -> {
            context.removeSparkListener(listener);
            bar.maxHint(bar.getCurrent());
            bar.close();
        });
    }

    @Override
    public void close() {
        end.run();
    }

    /** The JDK tells only whether standard input and output are terminals, and only both at once. */
    static boolean standardErrorIsTerminal() {
        try {
            String target = Files.readSymbolicLink(Path.of("/proc/self/fd/2")).toString();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException notLinux) {
            return false;
        }
    }

    /** Steps the bar, and lengthens it rather than show it full while work goes on. */
    private static final class JobListener extends SparkListener {
        private final ProgressBar bar;

        JobListener(ProgressBar bar) {
            this.bar = bar;
        }

        @Override
        public void onJobEnd(SparkListenerJobEnd jobEnd) {
            if (bar.getCurrent() + 1 >= bar.getMax()) {
                bar.maxHint(bar.getMax() + 1);
            }
            bar.step();
        }
    }
}
