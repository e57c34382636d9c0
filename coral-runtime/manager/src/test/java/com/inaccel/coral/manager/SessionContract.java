package com.inaccel.coral.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every session promises, whichever door it came in by. Subclasses supply the door. */
@Timeout(120)
abstract class SessionContract {
    static final String ADD = "com.inaccel.math.Vector.Add";
    static final Map<String, String> HOST = Map.of("coral.devices", "host");
    /** One device that is busy with programming for a second before its first request runs. */
    static final Map<String, String> SLOW = Map.of(
        "coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "1s", "coral.queue.limit", "4");
    private static final int PAGE = 4096;
    private static final String FILL = "org.example.Line.Fill";
    private static final String FILL_MANIFEST = """
        {"name": "line.cl", "bitstreamId": "org.example.Line", "version": "1.0",
         "platform": {"vendor": "xilinx", "name": "u250"},
         "kernels": [{"name": ["fill"], "kernelId": "Fill", "arguments": [
           {"type": "int*", "name": "weights", "access": "r"}, {"type": "double*", "name": "line", "access": "w"},
           {"type": "int", "name": "count"}, {"type": "long", "name": "first"},
           {"type": "float", "name": "slope"}, {"type": "double", "name": "offset"}]}]}
        """;
    private static final String FILL_SOURCE = """
        __kernel void fill(__global const int* weights, __global double* line, int count, long first, float slope, double offset) {
            for (int i = 0; i < count; i++) { line[i] = weights[i] * (slope * (first + i) + offset); }
        }
        """;

    private final List<Session> sessions = new ArrayList<>();
    private boolean started;

    /** Makes the engine ready, with these values. */
    abstract void start(Map<String, String> config);

    abstract Session connect();

    /** Stops the engine after its sessions were closed. */
    abstract void stop();

    final Session open() {
        return open(HOST);
    }

    final Session open(Map<String, String> config) {
        if (!started) {
            start(config);
            started = true;
        }
        Session session = connect();
        sessions.add(session);
        return session;
    }

    @AfterEach
    void nothingIsLeft() {
        sessions.forEach(Session::close);
        if (started) {
            stop();
        }
        Leaks.assertNone();
    }

    @Test
    void shouldTakeTheAccessThatTheSignatureDeclares() throws Exception {
        Session session = open();
        Segment segment = session.allocate(3 * PAGE);
        segment.buffer(0, PAGE).asFloatBuffer().put(0, 3);
        segment.buffer(PAGE, PAGE).asFloatBuffer().put(0, 4);
        Request.Builder request = Request.of(ADD);
        for (int i = 0; i < 3; i++) {
            request.arg(new Argument.Slice(segment, (long) i * PAGE, PAGE, Argument.Access.DECLARED));
        }
        session.submit(request.arg(PAGE / Float.BYTES).build()).get(60, TimeUnit.SECONDS);
        assertThat(segment.buffer(2 * PAGE, PAGE).asFloatBuffer().get(0)).isEqualTo(7);
        segment.close();
    }

    /** Each time with the bitstream's name, what was given and what is expected. */
    @Test
    void shouldCheckTheCallsOfAUsersAcceleratorAgainstItsManifest(@TempDir Path bitstreams) throws Exception {
        Files.writeString(bitstreams.resolve("bitstream.json"), FILL_MANIFEST);
        Files.writeString(bitstreams.resolve("line.cl"), FILL_SOURCE);
        Session session = open(Map.of("coral.emulate", "xilinx/u250:1", "coral.emulate.programming", "0ms", "coral.bitstreams",
            bitstreams.toString()));
        assertThat(session.accelerators()).contains(FILL);
        try (Segment segment = session.allocate(2 * PAGE)) {
            Argument weights = new Argument.Slice(segment, 0, 16, Argument.Access.READ);
            Argument line = new Argument.Slice(segment, PAGE, 32, Argument.Access.WRITE);
            Argument count = new Argument.Int(4);
            Argument first = new Argument.Long(10);
            Argument slope = new Argument.Float(0.5f);
            Argument offset = new Argument.Double(1);
            segment.buffer(0, 16).asIntBuffer().put(new int[] {1, 2, 3, 4});
            session.submit(fill(weights, line, count, first, slope, offset)).get(60, TimeUnit.SECONDS);
            double[] filled = new double[4];
            segment.buffer(PAGE, 32).asDoubleBuffer().get(filled);
            assertThat(filled).containsExactly(6, 13, 21, 30);

            assertMisfit(session, fill(weights, line, first, first, slope, offset), "parameter=count, given=Long, expected=INT");
            assertMisfit(session, fill(weights, line, count, count, slope, offset), "parameter=first, given=Int, expected=LONG");
            assertMisfit(session, fill(weights, line, count, first, offset, offset),
                "parameter=slope, given=Double, expected=FLOAT");
            assertMisfit(session, fill(weights, line, count, first, slope, weights),
                "parameter=offset, given=Slice, expected=DOUBLE");
            assertMisfit(session, fill(count, line, count, first, slope, offset), "parameter=weights, given=Int, expected=INTS");
            // Too few, too many, none.
            assertMisfit(session, fill(weights, line, count, first, slope), "given=5, expected=6", "offset", "DOUBLE");
            assertMisfit(session, fill(weights, line, count, first, slope, offset, offset), "given=7, expected=6");
            assertMisfit(session, fill(), "given=0, expected=6");
            // In another order.
            assertMisfit(session, fill(line, weights, count, first, slope, offset),
                "parameter=weights, given=WRITE, expected=READ");
            assertMisfit(session, fill(weights, line, first, count, slope, offset), "parameter=count, given=Long, expected=INT");
            assertMisfit(session, fill(weights, line, count, first, offset, slope),
                "parameter=slope, given=Double, expected=FLOAT");
            segment.buffer(PAGE, 32).asDoubleBuffer().get(filled);
            assertThat(filled).as("none of these ran").containsExactly(6, 13, 21, 30);
        }
    }

    private static Request fill(Argument... arguments) {
        Request.Builder request = Request.of(FILL);
        for (Argument argument : arguments) {
            request.arg(argument);
        }
        return request.build();
    }

    private static void assertMisfit(Session session, Request request, String... said) {
        assertFails(ErrorCode.INVALID_ARGUMENT, session.submit(request)).hasMessageContaining("accelerator=" + FILL)
            .hasMessageContainingAll(said);
    }

    @Test
    void shouldComputeOnWhatWasWrittenIntoSegments() throws Exception {
        Session session = open();
        int n = 10_000;
        try (Segment inputs = session.allocate(8L * n); Segment output = session.allocate(4L * n)) {
            FloatBuffer values = inputs.buffer(0, 8L * n).asFloatBuffer();
            for (int i = 0; i < n; i++) {
                values.put(i, i).put(n + i, 0.5f);
            }
            inputs.seal(8L * n);
            Completion completion = session.submit(Request.of(ADD).read(inputs, 0, 4L * n).read(inputs, 4L * n, 4L * n)
                .write(output, 0, 4L * n).arg(n).build()).get();
            FloatBuffer sums = output.buffer(0, 4L * n).asFloatBuffer();
            for (int i = 0; i < n; i++) {
                assertThat(sums.get(i)).isEqualTo(i + 0.5f);
            }
            assertThat(session.devices()).extracting(device -> device.id()).contains(completion.device());
            assertThat(completion.runNanos()).isPositive();
            assertThat(completion.queueNanos()).isNotNegative();
        }
    }

    @Test
    void shouldSayWhatIsThere() {
        Session session = open();
        assertThat(session.accelerators()).contains(ADD);
        assertThat(session.devices()).hasSize(1);
        assertThat(session.devices().get(0).memoryBytes()).isPositive();
        assertThat(session.devices().get(0).computeUnits()).isPositive();
        assertThat(session.address()).matches("embedded:|unix:/.*");
        assertThat(session.isOpen()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, Segment.MAX_BYTES + 1, Long.MAX_VALUE})
    void shouldRefuseSizesThatNoSegmentHas(long bytes) {
        Session session = open();
        assertFails(ErrorCode.INVALID_ARGUMENT, () -> session.allocate(bytes))
            .hasMessageContaining("bytes=" + bytes).hasMessageContaining(Long.toString(Segment.MAX_BYTES));
    }

    @Test
    void shouldRoundSegmentsUpToPagesAndGiveThemIdsOfTheirOwn() {
        Session session = open();
        Segment first = session.allocate(1);
        Segment second = session.allocate(PAGE + 1);
        assertThat(first.sizeBytes()).isEqualTo(PAGE);
        assertThat(second.sizeBytes()).isEqualTo(2 * PAGE);
        assertThat(first.id()).isNotEqualTo(second.id());
        assertThat(first.address() % PAGE).isZero();
        assertThat(first.isSealed()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"-1, 1", "0, -1", "0, 4097", "4096, 1", "4097, 0", "1, 9223372036854775807",
        "9223372036854775807, 9223372036854775807", "-9223372036854775808, 0"})
    void shouldRefuseViewsOutsideASegment(long offset, long length) {
        Segment segment = open().allocate(PAGE);
        assertFails(ErrorCode.OUT_OF_RANGE, () -> segment.buffer(offset, length));
    }

    @Test
    void shouldNameWhatWasAskedAndWhatIsFreeWhenTheQuotaIsUsedUp() {
        Session session = open(Map.of("coral.devices", "host", "coral.memory.limit", "1MB"));
        Segment most = session.allocate(1 << 19);
        assertFails(ErrorCode.QUOTA_EXCEEDED, () -> session.allocate((1 << 19) + 1))
            .hasMessageContaining("requestedBytes=528384").hasMessageContaining("freeBytes=524288")
            .hasMessageContaining("limitBytes=1048576");
        most.close();
        session.allocate(1 << 20).close();
    }

    @Test
    void shouldGiveBackWhatASealLeavesUnused() {
        Session session = open(Map.of("coral.devices", "host", "coral.memory.limit", "1MB"));
        Segment segment = session.allocate(1 << 20);
        segment.buffer(0, 1 << 20).putInt(PAGE - 4, 42);
        assertFails(ErrorCode.OUT_OF_RANGE, () -> segment.seal((1 << 20) + 1));
        assertFails(ErrorCode.OUT_OF_RANGE, () -> segment.seal(-1));
        segment.seal(PAGE - 1);
        segment.seal(PAGE - 1);
        assertThat(segment.isSealed()).isTrue();
        assertThat(segment.sizeBytes()).isEqualTo(PAGE);
        assertThat(segment.buffer(0, PAGE).getInt(PAGE - 4)).isEqualTo(42);
        assertFails(ErrorCode.OUT_OF_RANGE, () -> segment.buffer(0, PAGE + 1));
        session.allocate((1 << 20) - PAGE).close();
    }

    @Test
    void shouldRefuseToWriteToASealedSegment() {
        Session session = open();
        Segment segment = session.allocate(PAGE);
        segment.seal(PAGE);
        assertFails(ErrorCode.SEGMENT_SEALED, session.submit(add(session, segment, 0, 16, 4)))
            .hasMessageContaining("segment=" + segment.id());
    }

    @ParameterizedTest
    @CsvSource({"-4, 16", "0, -4", "0, 4100", "4096, 4", "8, 4092", "4, 9223372036854775804",
        "9223372036854775804, 9223372036854775804", "-9223372036854775808, 16"})
    void shouldRefuseSlicesOutsideTheirSegment(long offset, long length) {
        Session session = open();
        assertFails(ErrorCode.OUT_OF_RANGE, session.submit(add(session, session.allocate(PAGE), offset, length, 1)))
            .hasMessageContaining("offsetBytes=" + offset).hasMessageContaining("lengthBytes=" + length);
    }

    @Test
    void shouldRefuseSlicesTooShortForTheSizesGiven() {
        Session session = open();
        Segment segment = session.allocate(PAGE);
        assertFails(ErrorCode.OUT_OF_RANGE, session.submit(add(session, segment, 0, 16, 5)));
        assertFails(ErrorCode.OUT_OF_RANGE, session.submit(add(session, segment, 0, 16, Integer.MAX_VALUE)));
        assertFails(ErrorCode.INVALID_ARGUMENT, session.submit(add(session, segment, 0, 16, -1)));
    }

    @Test
    void shouldRefuseArgumentsThatTheSignatureDoesNotHave() {
        Session session = open();
        Segment a = session.allocate(PAGE);
        Segment b = session.allocate(PAGE);
        Segment c = session.allocate(PAGE);
        Request.Builder threeSlices = Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(c, 0, 16);
        assertInvalid(session, threeSlices.build());
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(c, 0, 16).arg(4).arg(4).build());
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(c, 0, 16).arg(4L).build());
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(c, 0, 16).arg(4f).build());
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(c, 0, 16).arg(4d).build());
        assertInvalid(session, Request.of(ADD).arg(4).read(b, 0, 16).write(c, 0, 16).arg(4).build());
        // An access other than the signature's, an element cut in two, an output that is also an input.
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).readWrite(c, 0, 16).arg(4).build());
        assertInvalid(session, Request.of(ADD).read(a, 2, 16).read(b, 0, 16).write(c, 0, 16).arg(4).build());
        assertInvalid(session, Request.of(ADD).read(a, 0, 16).read(b, 0, 16).write(a, 8, 16).arg(4).build());
    }

    @Test
    void shouldListWhatIsInstalledWhenAnAcceleratorIsUnknown() {
        Session session = open();
        assertFails(ErrorCode.UNKNOWN_ACCELERATOR, session.submit(Request.of("com.inaccel.Nothing").build()))
            .hasMessageContaining("com.inaccel.Nothing").hasMessageContaining(ADD);
    }

    @Test
    void shouldRefuseSegmentsOfAnotherSession() {
        Session session = open();
        Session other = open();
        Segment foreign = other.allocate(PAGE);
        assertFails(ErrorCode.UNKNOWN_SEGMENT, session.submit(add(session, foreign, 0, 16, 4)));
    }

    @Test
    void shouldRefuseASegmentThatWasClosed() {
        Session session = open();
        Segment segment = session.allocate(PAGE);
        Request request = add(session, segment, 0, 16, 4);
        segment.close();
        segment.close();
        assertFails(ErrorCode.UNKNOWN_SEGMENT, session.submit(request));
        assertFails(ErrorCode.UNKNOWN_SEGMENT, () -> segment.buffer(0, 1));
        assertFails(ErrorCode.UNKNOWN_SEGMENT, () -> segment.seal(0));
    }

    @Test
    void shouldFinishARequestWhoseSegmentsWereClosedMeanwhile() throws Exception {
        Session session = open(SLOW);
        Segment inputs = session.allocate(PAGE);
        Segment output = session.allocate(PAGE);
        CompletableFuture<Completion> request = session.submit(
            Request.of(ADD).read(inputs, 0, 16).read(inputs, 16, 16).write(output, 0, 16).arg(4).build());
        inputs.close();
        output.close();
        request.get();
    }

    @Test
    void shouldEndACancelledRequestAtOnceWhetherItWaitsOrRuns() throws Exception {
        Session session = open(SLOW);
        Segment segment = session.allocate(PAGE);
        CompletableFuture<Completion> first = session.submit(add(session, segment, 0, 16, 4));
        CompletableFuture<Completion> second = session.submit(add(session, segment, 16, 16, 4));
        CompletableFuture<Completion> third = session.submit(add(session, segment, 32, 16, 4));
        assertThat(second.cancel(true)).isTrue();
        assertThat(first.cancel(true)).isTrue();
        assertThat(first.cancel(true)).isTrue();
        assertThat(catchThrowableOfType(first::get, CancellationException.class)).isNotNull();
        assertThat(catchThrowableOfType(second::get, CancellationException.class)).isNotNull();
        third.get();
        assertThat(third.cancel(true)).isFalse();
    }

    @Test
    void shouldEndARequestAtItsDeadlineWhetherItWaitsOrRuns() {
        Session session = open(SLOW);
        Segment segment = session.allocate(PAGE);
        List<CompletableFuture<Completion>> requests = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            requests.add(session.submit(addBuilder(session, segment, 16L * i, 16, 4)
                .timeout(Duration.ofMillis(20 + i)).build()));
        }
        requests.forEach(request -> assertFails(ErrorCode.DEADLINE_EXCEEDED, request));
    }

    @Test
    void shouldRefuseWhatTheQueueDoesNotHold() throws Exception {
        Session session = open(SLOW);
        Segment segment = session.allocate(PAGE);
        List<CompletableFuture<Completion>> requests = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            requests.add(session.submit(add(session, segment, 16L * i, 16, 4)));
        }
        int done = 0;
        for (CompletableFuture<Completion> request : requests) {
            try {
                request.get();
                done++;
            } catch (ExecutionException e) {
                assertThat(((CoralException) e.getCause()).code()).isEqualTo(ErrorCode.QUEUE_FULL);
            }
        }
        assertThat(done).isBetween(4, 6); // those that wait, and perhaps those that the device's two lanes have taken already
    }

    @Test
    void shouldRefuseEverythingOnceClosed() {
        Session session = open(SLOW);
        Segment segment = session.allocate(PAGE);
        Request request = add(session, segment, 0, 16, 4);
        CompletableFuture<Completion> outstanding = session.submit(request);
        session.close();
        session.close();
        assertThat(session.isOpen()).isFalse();
        assertFails(ErrorCode.SESSION_CLOSED, outstanding);
        assertFails(ErrorCode.SESSION_CLOSED, () -> session.allocate(1));
        assertFails(ErrorCode.SESSION_CLOSED, session.submit(Request.of(ADD).arg(1).build()));
        segment.close();
    }

    @Test
    void shouldServeManyThreadsAtOnce() throws Exception {
        Session session = open();
        int threads = 16;
        int rounds = 100;
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            List<Future<?>> workers = new ArrayList<>();
            for (int thread = 0; thread < threads; thread++) {
                float seed = thread;
                workers.add(executor.submit(() -> addRepeatedly(session, seed, rounds)));
            }
            for (Future<?> worker : workers) {
                worker.get();
            }
        } finally {
            executor.shutdown();
            assertThat(executor.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static Void addRepeatedly(Session session, float seed, int rounds) throws Exception {
        int n = 256;
        for (int round = 0; round < rounds; round++) {
            try (Segment segment = session.allocate(12L * n)) {
                FloatBuffer values = segment.buffer(0, 12L * n).asFloatBuffer();
                for (int i = 0; i < n; i++) {
                    values.put(i, seed).put(n + i, round);
                }
                session.submit(Request.of(ADD).read(segment, 0, 4L * n).read(segment, 4L * n, 4L * n)
                    .write(segment, 8L * n, 4L * n).arg(n).build()).get();
                for (int i = 0; i < n; i++) {
                    assertThat(values.get(2 * n + i)).isEqualTo(seed + round);
                }
            }
        }
        return null;
    }

    /** A valid request but for the slice that it writes. */
    static Request add(Session session, Segment output, long offset, long length, int n) {
        return addBuilder(session, output, offset, length, n).build();
    }

    private static Request.Builder addBuilder(Session session, Segment output, long offset, long length, int n) {
        Segment inputs = session.allocate(PAGE);
        return Request.of(ADD).read(inputs, 0, 16).read(inputs, 0, 16)
            .arg(new Argument.Slice(output, offset, length, Argument.Access.WRITE)).arg(n);
    }

    private static void assertInvalid(Session session, Request request) {
        assertFails(ErrorCode.INVALID_ARGUMENT, session.submit(request)).hasMessageContaining(ADD);
    }

    static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertFails(ErrorCode code, ThrowingCallable call) {
        CoralException failure = catchThrowableOfType(call, CoralException.class);
        assertThat(failure).isNotNull();
        assertThat(failure.code()).as(failure.getMessage()).isEqualTo(code);
        return assertThat(failure);
    }

    static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertFails(ErrorCode code, CompletableFuture<?> future) {
        ExecutionException failure =
            catchThrowableOfType(() -> future.get(30, TimeUnit.SECONDS), ExecutionException.class);
        assertThat(failure).isNotNull();
        assertThat(failure).hasCauseInstanceOf(CoralException.class);
        CoralException cause = (CoralException) failure.getCause();
        assertThat(cause.code()).as(cause.getMessage()).isEqualTo(code);
        return assertThat(cause);
    }
}
