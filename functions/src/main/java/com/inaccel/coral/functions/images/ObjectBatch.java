package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import com.inaccel.coral.functions.images.ObjectProcessor.Report;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Several objects at once: one that fails stops no other. Thread-safe. */
final class ObjectBatch implements AutoCloseable {
    /** Enough that one is read and one written while others are computed. */
    private static final int THREADS = Math.max(4, 2 * Runtime.getRuntime().availableProcessors());

    private final CompletableFuture<ObjectProcessor> processor;
    private final ExecutorService threads;

    /**
     * @param all a report, or error and message, for each object in the order in which they were named
     * @param next where more objects wait under the prefix
     */
    record Results(List<Object> all, List<FunctionException> failures, Optional<String> next) { }

    ObjectBatch(CompletableFuture<ObjectProcessor> processor) {
        this.processor = processor;
        AtomicInteger count = new AtomicInteger();
        threads = Executors.newFixedThreadPool(THREADS, task -> {
            Thread thread = new Thread(task, "coral-images-" + count.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
    }

    /** @throws FunctionException where it is one object, and that one failed */
    Results process(List<ObjectRef> objects, Plan plan, Optional<String> next) throws InterruptedException {
        ObjectProcessor ready = join(processor);
        if (objects.size() == 1 && next.isEmpty()) {
            return new Results(List.of(ready.process(objects.get(0), plan)), List.of(), next);
        }
        List<Callable<Report>> tasks = objects.stream().<Callable<Report>>map(object -> () -> ready.process(object, plan)).toList();
        List<Object> all = new ArrayList<>();
        List<FunctionException> failures = new ArrayList<>();
        List<Future<Report>> ended = threads.invokeAll(tasks);
        for (int i = 0; i < ended.size(); i++) {
            try {
                all.add(ended.get(i).get());
            } catch (ExecutionException e) {
                FunctionException failure = e.getCause() instanceof FunctionException known ? known
                    : new FunctionException(Problem.HANDLER_FAILED, "failed: cause=" + e.getCause(), e.getCause());
                failures.add(failure);
                all.add(Map.of("bucket", objects.get(i).bucket(), "key", objects.get(i).key(), "error",
                    failure.problem().name(), "message", failure.getMessage()));
            }
        }
        return new Results(all, failures, next);
    }

    /** @throws FunctionException STORE_UNAVAILABLE where it could not be made */
    static <T> T join(CompletableFuture<T> made) {
        try {
            return made.join();
        } catch (CompletionException e) {
            throw new FunctionException(Problem.STORE_UNAVAILABLE, "cannot make a client of the object store: cause="
                + e.getCause().getMessage(), e);
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
