package com.inaccel.coral.functions.images;

import com.inaccel.coral.functions.FunctionConfig;
import com.inaccel.coral.functions.FunctionConfig.Key;
import com.inaccel.coral.functions.FunctionException;
import com.inaccel.coral.functions.Problem;
import com.inaccel.coral.functions.images.ImageMetrics.Outcome;
import com.inaccel.coral.functions.images.ImageProcessor.Result;
import com.inaccel.coral.functions.images.ObjectStore.Opened;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Processes objects of a store, each once: a result says on itself what it was made of, and where that is there already nothing
 * is done. Results, and what was put aside, are never processed themselves, whatever bucket they are in.
 *
 * <p>The same object in two calls at once is one after the other within this process. In two processes at once it may be
 * processed twice, to the same result under the same key.
 */
final class ObjectProcessor {
    static final String OPERATION = "coral-operation";
    static final String ARGUMENTS = "coral-arguments";
    static final String SOURCE = "coral-source";
    static final String SOURCE_ETAG = "coral-source-etag";
    static final String DEVICE = "coral-device";
    static final String DEVICE_MILLIS = "coral-device-millis";
    static final String VERSION = "coral-version";

    private static final Logger LOG = LoggerFactory.getLogger(ObjectProcessor.class);
    private static final int LOCKS = 64;
    private static final double MILLI = 1e6;

    private final ObjectStore store;
    private final ImageProcessor images;
    private final Budget heap;
    private final DeadLetters deadLetters;
    private final ImageMetrics metrics;
    private final String outputBucket;
    private final String outputPrefix;
    private final String failedPrefix;
    private final long objectLimit;
    private final List<ReentrantLock> locks = Stream.generate(ReentrantLock::new).limit(LOCKS).toList();

    /** @param device empty where the result was there already, or it is not known */
    record Output(String bucket, String key, String operation, String device, double deviceMillis) { }

    /** What became of one object. */
    record Report(String bucket, String key, String outcome, List<Output> outputs, Map<String, Double> millis) { }

    ObjectProcessor(ObjectStore store, ImageProcessor images, Budget heap, DeadLetters deadLetters, ImageMetrics metrics,
            FunctionConfig config) {
        this.store = store;
        this.images = images;
        this.heap = heap;
        this.deadLetters = deadLetters;
        this.metrics = metrics;
        this.outputBucket = config.text(Key.OUTPUT_BUCKET);
        this.outputPrefix = config.text(Key.OUTPUT_PREFIX);
        this.failedPrefix = config.text(Key.FAILED_PREFIX);
        this.objectLimit = config.bytes(Key.OBJECT_LIMIT);
    }

    /**
     * Processes one object.
     *
     * @throws FunctionException where it cannot be; what never can be has been put aside
     * @throws InterruptedException when the call's time is up: the object stays where it is, to be sent again
     */
    Report process(ObjectRef object, Plan plan) throws InterruptedException {
        ReentrantLock lock = locks.get(Math.floorMod(object.hashCode(), LOCKS));
        String[] etag = {""};
        try {
            lock.lockInterruptibly();
            try {
                return tryToProcess(object, plan, etag);
            } catch (FunctionException failure) {
                metrics.failed(failure.problem());
                throw putAside(object, etag[0], failure);
            } finally {
                lock.unlock();
            }
        } catch (InterruptedException e) {
            metrics.failed(Problem.TIMEOUT);
            throw e;
        }
    }

    private Report tryToProcess(ObjectRef object, Plan plan, String[] etag) throws InterruptedException {
        Stages stages = new Stages(metrics);
        if (isOwn(object)) {
            return ended(object, Outcome.OWN, List.of(), stages);
        }
        try (Opened source = store.get(object)) {
            etag[0] = source.etag();
            if (source.head().metadata().containsKey(OPERATION)) {
                return ended(object, Outcome.OWN, List.of(), stages);
            }
            if (source.bytes() > objectLimit) {
                throw new FunctionException(Problem.TOO_LARGE, "object too large: object=" + object + ", bytes=" + source.bytes()
                    + ", limitBytes=" + objectLimit + "; raise " + Key.OBJECT_LIMIT.variable());
            }
            try (Budget.Lease lease = heap.acquire(source.bytes())) {
                byte[] bytes = source.read();
                stages.end("read");
                return process(object, etag[0], bytes, plan, stages);
            }
        }
    }

    private Report process(ObjectRef object, String etag, byte[] bytes, Plan plan, Stages stages) throws InterruptedException {
        List<Operation> missing = new ArrayList<>();
        List<Output> outputs = new ArrayList<>();
        Optional<Format> source = Format.of(bytes);
        for (Operation operation : plan.operations()) {
            Optional<ObjectRef> there = source.map(format -> output(object, operation, format, plan.format()))
                .filter(output -> store.metadata(output).filter(found -> isResultOf(found, operation, etag)).isPresent());
            there.ifPresentOrElse(output -> outputs.add(new Output(output.bucket(), output.key(), operation.name(), "", 0)),
                () -> missing.add(operation));
        }
        if (missing.isEmpty()) {
            return ended(object, Outcome.UNCHANGED, outputs, stages);
        }
        stages.end("look");
        for (Result result : images.process(bytes, missing, plan.format(), stages)) {
            ObjectRef output = output(object, result.operation(), source.orElseThrow(), plan.format());
            store.put(output, result.bytes(), result.format().contentType(), describe(object, etag, result));
            outputs.add(new Output(output.bucket(), output.key(), result.operation().name(), result.device(),
                result.deviceNanos() / MILLI));
            stages.end("write");
        }
        return ended(object, Outcome.DONE, outputs, stages);
    }

    private boolean isOwn(ObjectRef object) {
        boolean there = outputBucket.isEmpty() || outputBucket.equals(object.bucket());
        return there && (object.key().startsWith(outputPrefix) || object.key().startsWith(failedPrefix));
    }

    private ObjectRef output(ObjectRef object, Operation operation, Format source, String asked) {
        Format as = Format.ofResult(asked, source);
        return new ObjectRef(outputBucket.isEmpty() ? object.bucket() : outputBucket,
            outputPrefix + operation.name() + "/" + object.key() + (as == source ? "" : "." + as.extension()));
    }

    private static boolean isResultOf(Map<String, String> metadata, Operation operation, String etag) {
        return etag.equals(metadata.get(SOURCE_ETAG)) && operation.name().equals(metadata.get(OPERATION))
            && operation.arguments().equals(metadata.get(ARGUMENTS));
    }

    /** Only ASCII may be in it: the key is encoded as in a URL. */
    private static Map<String, String> describe(ObjectRef object, String etag, Result result) {
        String version = ObjectProcessor.class.getPackage().getImplementationVersion();
        return Map.of(SOURCE, URLEncoder.encode(object.toString(), StandardCharsets.UTF_8), SOURCE_ETAG, etag,
            OPERATION, result.operation().name(), ARGUMENTS, result.operation().arguments(), DEVICE, result.device(),
            DEVICE_MILLIS, String.format(Locale.ROOT, "%.3f", result.deviceNanos() / MILLI),
            VERSION, version == null ? "unreleased" : version);
    }

    private Report ended(ObjectRef object, Outcome outcome, List<Output> outputs, Stages stages) {
        metrics.ended(outcome);
        return new Report(object.bucket(), object.key(), outcome.name().toLowerCase(Locale.ROOT), outputs, stages.millis());
    }

    /** Returns the failure to report: it says where the reason was put. */
    private FunctionException putAside(ObjectRef object, String etag, FunctionException failure) {
        if (failure.problem().isTransient() || failure.problem() == Problem.NO_SUCH_BUCKET || failedPrefix.isEmpty()) {
            return failure;
        }
        try {
            ObjectRef reason = deadLetters.keep(object, etag, failure);
            metrics.putAside();
            return new FunctionException(failure.problem(), failure.getMessage() + " (object=" + object + ", kept at="
                + reason + ")", failure);
        } catch (FunctionException e) {
            LOG.warn("cannot put aside: object={}, why={}, cause={}", object, failure.getMessage(), e.getMessage());
            // Where it may go better next time, the sender is to send again.
            return e.problem().isTransient() ? e : failure;
        }
    }
}
