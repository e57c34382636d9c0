package com.inaccel.coral.ml.classification;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Runs tasks side by side that ask for evaluations one at a time, and answers those of all tasks together: no evaluation
 * starts before every task that has not ended asks for one. What a task gets does not depend on the others.
 *
 * <p>Tasks run on threads of their own; evaluations on the thread that called {@link #run}, and one task alone runs there too.
 *
 * @param <Q> what is asked
 * @param <A> what is answered
 */
final class Lockstep<Q, A> {
    private final Function<List<Q>, List<A>> evaluator;
    private final List<Asked<Q, A>> asked = new ArrayList<>();
    private int running;
    private boolean failed;

    private record Asked<Q, A>(Q question, CompletableFuture<A> answer) { }

    private Lockstep(Function<List<Q>, List<A>> evaluator) {
        this.evaluator = evaluator;
    }

    /**
     * Runs the tasks, each of which gets the function that evaluates; results in the tasks' order.
     *
     * @throws RuntimeException of the first task, in that order, that failed by itself; the others are stopped at their next
     *     evaluation
     */
    static <Q, A, R> List<R> run(List<Function<Function<Q, A>, R>> tasks, Function<List<Q>, List<A>> evaluator) {
        if (tasks.size() == 1) {
            return List.of(tasks.get(0).apply(question -> evaluator.apply(List.of(question)).get(0)));
        }
        return new Lockstep<>(evaluator).runAll(tasks);
    }

    private <R> List<R> runAll(List<Function<Function<Q, A>, R>> tasks) {
        List<CompletableFuture<R>> results = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        running = tasks.size();
        for (Function<Function<Q, A>, R> task : tasks) {
            CompletableFuture<R> result = new CompletableFuture<>();
            results.add(result);
            threads.add(new Thread(() -> runOne(task, result), "coral-fit-" + threads.size()));
        }
        threads.forEach(Thread::start);
        try {
            evaluateUntilAllEnded();
        } finally {
            stop();
            threads.forEach(Lockstep::join);
        }
        results.stream().map(Lockstep::failure).filter(failure -> failure != null
            && !(failure instanceof CancellationException)).findFirst().ifPresent(Lockstep::raise);
        return results.stream().map(CompletableFuture::join).toList();
    }

    private <R> void runOne(Function<Function<Q, A>, R> task, CompletableFuture<R> result) {
        try {
            result.complete(task.apply(this::ask));
        } catch (Throwable e) { // whatever it is, it is the caller's to see
            result.completeExceptionally(e);
            stop();
        } finally {
            synchronized (this) {
                running--;
                notifyAll();
            }
        }
    }

    private A ask(Q question) {
        CompletableFuture<A> answer = new CompletableFuture<>();
        synchronized (this) {
            if (failed) {
                throw new CancellationException("another fit of the same call failed");
            }
            asked.add(new Asked<>(question, answer));
            notifyAll();
        }
        return answer.join();
    }

    private void evaluateUntilAllEnded() {
        while (true) {
            List<Asked<Q, A>> together = awaitAll();
            if (together.isEmpty()) {
                return;
            }
            try {
                List<A> answers = evaluator.apply(together.stream().map(Asked::question).toList());
                for (int i = 0; i < together.size(); i++) {
                    together.get(i).answer.complete(answers.get(i));
                }
            } catch (Throwable e) { // Spark throws checked exceptions without declaring them
                together.forEach(waiting -> waiting.answer.cancel(false));
                throw e;
            }
        }
    }

    /** What all running tasks ask for; empty when they have ended. */
    private synchronized List<Asked<Q, A>> awaitAll() {
        boolean interrupted = false;
        while (asked.size() < running) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
                stop();
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        List<Asked<Q, A>> together = List.copyOf(asked);
        asked.clear();
        return together;
    }

    private synchronized void stop() {
        failed = true;
        asked.forEach(waiting -> waiting.answer.cancel(false));
        asked.clear();
    }

    private static Throwable failure(CompletableFuture<?> result) {
        return result.handle((value, failure) -> failure).join();
    }

    /** As it was thrown, checked or not, since that is what a fit alone would do. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void raise(Throwable failure) throws E {
        throw (E) failure;
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
