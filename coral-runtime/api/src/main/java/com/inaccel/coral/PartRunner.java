package com.inaccel.coral;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/**
 * Runs the parts of image operations, a few of each at a time, in segments of a pool. Copies are made by the caller of {@link
 * #run} where there is one part, else on the common pool: never on the session's own threads. Thread-safe.
 */
final class PartRunner implements AutoCloseable {
    /** Parts of one operation that are under way at once. */
    private static final int AT_ONCE = 4;

    private final Session session;
    private final SegmentPool pool;

    PartRunner(Session session, SegmentPool pool) {
        this.session = session;
        this.pool = pool;
    }

    /** @param finish runs once all parts are collected */
    record Work(List<ImagePart> parts, Runnable finish) { }

    boolean isOpen() {
        return session.isOpen();
    }

    Run run(Work work) {
        if (work.parts().size() > 1) {
            return await(start(() -> work));
        }
        Started started = new Started(work.parts().get(0));
        try {
            Completion completion = await(started.future);
            started.collect();
            work.finish().run();
            return Run.of(List.of(completion));
        } finally {
            started.close();
        }
    }

    CompletableFuture<Run> start(Supplier<Work> prepare) {
        CompletableFuture<Run> result = new CompletableFuture<>();
        try {
            Work work = prepare.get();
            List<Completion> completions = Collections.synchronizedList(new ArrayList<>());
            List<CompletableFuture<Void>> rows = new ArrayList<>();
            for (int first = 0; first < Math.min(AT_ONCE, work.parts().size()); first++) {
                rows.add(startFrom(work.parts(), first, completions, result));
            }
            CompletableFuture.allOf(rows.toArray(CompletableFuture[]::new)).whenComplete((done, problem) -> {
                if (problem != null) {
                    result.completeExceptionally(unwrapped(problem));
                    return;
                }
                try {
                    work.finish().run();
                    result.complete(Run.of(completions));
                } catch (RuntimeException | Error e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (CoralException e) {
            result.completeExceptionally(e);
        }
        return result;
    }

    /** The part, and then every further one that is its turn. */
    private CompletableFuture<Void> startFrom(
            List<ImagePart> parts, int index, List<Completion> completions, CompletableFuture<Run> result) {
        if (index >= parts.size() || result.isDone()) {
            return CompletableFuture.completedFuture(null);
        }
        Started started;
        try {
            started = new Started(parts.get(index));
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
        result.whenComplete((done, problem) -> {
            if (problem != null) {
                started.future.cancel(true);
            }
        });
        return started.future.handleAsync((completion, problem) -> {
            try (started) {
                if (problem != null) {
                    throw unwrapped(problem);
                }
                started.collect();
                completions.add(completion);
                return null;
            }
        }).thenCompose(collected -> startFrom(parts, index + AT_ONCE, completions, result));
    }

    /** A part whose request was handed in. Its segment goes back to the pool only after it was collected. */
    private final class Started implements AutoCloseable {
        private final ImagePart part;
        private final Segment segment;
        private final CompletableFuture<Completion> future;
        private boolean ended;

        Started(ImagePart part) {
            this.part = part;
            this.segment = pool.take(part.segmentBytes());
            try {
                future = session.submit(part.fill(segment));
            } catch (RuntimeException | Error e) {
                segment.close();
                throw e;
            }
        }

        void collect() {
            part.collect(segment);
            ended = true;
        }

        /** What was cancelled may still be written to: such a segment is not used again. */
        @Override
        public void close() {
            if (ended) {
                pool.give(segment);
            } else {
                future.cancel(true);
                segment.close();
            }
        }
    }

    /** Waits; an interrupt cancels what is waited for. */
    static <T> T await(CompletableFuture<T> future) {
        try {
            return future.get();
        } catch (InterruptedException e) {
            future.cancel(true);
            Thread.currentThread().interrupt();
            throw new CoralException(ErrorCode.CANCELLED, "interrupted while waiting for a device", e);
        } catch (ExecutionException e) {
            throw unwrapped(e.getCause());
        }
    }

    private static RuntimeException unwrapped(Throwable problem) {
        Throwable cause = problem;
        while (cause instanceof CompletionException && cause.getCause() != null) {
            cause = cause.getCause();
        }
        if (cause instanceof Error error) {
            throw error;
        }
        return cause instanceof RuntimeException failure ? failure : new CompletionException(cause);
    }

    @Override
    public void close() {
        pool.close();
    }
}
