package com.inaccel.coral.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.junit.jupiter.api.DynamicTest;
import org.opentest4j.TestAbortedException;
import org.scalatest.Args;
import org.scalatest.Suite;
import org.scalatest.events.Event;
import org.scalatest.events.TestCanceled;
import org.scalatest.events.TestFailed;
import org.scalatest.events.TestIgnored;
import org.scalatest.events.TestPending;
import org.scalatest.events.TestSucceeded;
import scala.Option;
import scala.collection.JavaConverters;

/**
 * Runs one of MLlib's own ScalaTest suites against a drop-in estimator, each of its tests as one JUnit test.
 *
 * <p>The suites say {@code new KMeans()}, so their bytecode is redirected (see {@link RedirectingClassLoader}). They run
 * from beginning to end on a thread of their own, as ScalaTest would run them, while the JUnit tests wait for the
 * outcomes in the same order: fixtures are set up once, and each JUnit test still takes the time that its test took. A
 * last test proves that the suite's estimators and models really were the drop-in's.
 *
 * <p>Public because the redirected classes, of another loader, call it.
 */
public final class MllibSuite {
    private static final long TEST_LIMIT_MINUTES = 10;

    /** The estimators of the models that redirected code has fitted; suites run one after the other. */
    private static final Queue<Estimator<?>> FITTED_BY = new ConcurrentLinkedQueue<>();

    private final String suiteName;
    private final Class<? extends Estimator<?>> dropIn;
    private final RedirectingClassLoader loader;
    private final Map<String, CompletableFuture<Void>> outcomes = new LinkedHashMap<>();
    private final CompletableFuture<Void> end = new CompletableFuture<>();

    private MllibSuite(String suiteName, Class<?> stock, Class<? extends Estimator<?>> dropIn) {
        this.suiteName = suiteName;
        this.dropIn = dropIn;
        this.loader = new RedirectingClassLoader(suiteName, stock, dropIn, MllibSuite.class.getClassLoader());
    }

    /** The tests of a suite, with each {@code new stock(…)} in it made a {@code new dropIn(…)}. */
    static Stream<DynamicTest> tests(String suiteName, Class<?> stock, Class<? extends Estimator<?>> dropIn)
            throws ReflectiveOperationException {
        return new MllibSuite(suiteName, stock, dropIn).start();
    }

    /** Called by redirected code after each fit. */
    public static void fitted(Object model) {
        FITTED_BY.add(((Model<?>) model).parent());
    }

    private Stream<DynamicTest> start() throws ReflectiveOperationException {
        FITTED_BY.clear();
        Suite suite = (Suite) loader.loadClass(suiteName).getDeclaredConstructor().newInstance();
        JavaConverters.setAsJavaSet(suite.testNames()).forEach(name -> outcomes.put(name, new CompletableFuture<>()));
        Thread runner = new Thread(() -> run(suite), "mllib-suite");
        // Spark's executors deserialize the suite's closures with the loader that was the context when they started.
        runner.setContextClassLoader(loader);
        runner.setDaemon(true);
        runner.start();
        return Stream.concat(
            outcomes.entrySet().stream().map(test -> dynamicTest(test.getKey(), () -> await(test.getValue()))),
            Stream.of(dynamicTest("the estimators were " + dropIn.getName(), this::proveRedirection)));
    }

    private void run(Suite suite) {
        try {
            suite.run(Option.empty(), new Args(this::record, Args.apply$default$2(), Args.apply$default$3(),
                Args.apply$default$4(), Args.apply$default$5(), Args.apply$default$6(), Args.apply$default$7(),
                Args.apply$default$8(), Args.apply$default$9(), Args.apply$default$10()));
            end.complete(null);
        } catch (Throwable failure) { // whatever it is, the JUnit tests that wait must hear of it
            end.completeExceptionally(failure);
        }
        outcomes.forEach((name, outcome) -> outcome.completeExceptionally(
            new AssertionError("the suite ended without running this test", end.handle((v, e) -> e).join())));
    }

    private void record(Event event) {
        if (event instanceof TestSucceeded test) {
            outcomes.get(test.testName()).complete(null);
        } else if (event instanceof TestFailed test) {
            Throwable cause = test.throwable().isDefined() ? test.throwable().get() : null;
            // Surefire's console says which factory failed, not which of its tests.
            outcomes.get(test.testName())
                .completeExceptionally(new AssertionError(test.testName() + ": " + test.message(), cause));
        } else if (event instanceof TestCanceled test) {
            skip(test.testName(), test.message());
        } else if (event instanceof TestIgnored test) {
            skip(test.testName(), "ignored by MLlib");
        } else if (event instanceof TestPending test) {
            skip(test.testName(), "pending in MLlib");
        }
    }

    private void skip(String testName, String reason) {
        outcomes.get(testName).completeExceptionally(new TestAbortedException(reason));
    }

    private void proveRedirection() throws Throwable {
        await(end); // fails where the suite's own clean-up failed
        assertThat(loader.redirected()).as("instantiations redirected in %s", suiteName).isPositive();
        assertThat(FITTED_BY).as("estimators of the models of %s", suiteName).isNotEmpty()
            .allSatisfy(estimator -> assertThat(estimator).isExactlyInstanceOf(dropIn));
    }

    private static void await(CompletableFuture<Void> outcome) throws Throwable {
        try {
            outcome.get(TEST_LIMIT_MINUTES, TimeUnit.MINUTES);
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }
}
