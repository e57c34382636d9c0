package com.inaccel.coral.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.Segment;
import com.inaccel.coral.Session;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the client does when its manager is missing, foreign, lying or dying. */
@Timeout(60)
class SocketSessionFailureTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private FakeManager manager;
    private long memoryFilesBefore;

    @BeforeEach
    void listen() throws IOException {
        memoryFilesBefore = MemoryFiles.open();
        manager = new FakeManager(directory);
    }

    @AfterEach
    void nothingLeaks() {
        manager.close();
        assertThat(SealedMemory.liveCount()).isZero();
        assertThat(MemoryFiles.open()).isEqualTo(memoryFilesBefore);
        assertThat(readers()).as("readers of sessions that are closed").isZero();
    }

    private static long readers() {
        return Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("coral-session-reader")).count();
    }

    @Test
    void shouldSayWhatToDoWhenNothingListens() {
        Path nowhere = directory.resolve("nowhere.sock");
        CoralException failure = failure(() -> SocketSession.connect(nowhere, Duration.ZERO));
        assertThat(failure.code()).isEqualTo(ErrorCode.NO_MANAGER);
        assertThat(failure).hasMessageContaining("unix:" + nowhere).hasMessageContaining("./coral node")
            .hasMessageContaining("embedded:").hasMessageContaining("No such file");
    }

    @Test
    void shouldSayThatTheManagerOfASocketIsDead() {
        manager.close();
        CoralException failure = failure(() -> SocketSession.connect(manager.path, Duration.ZERO));
        assertThat(failure.code()).isEqualTo(ErrorCode.NO_MANAGER);
        assertThat(failure).hasMessageContaining("refused");
    }

    @Test
    void shouldRefuseAPathThatNoSocketCanHave() {
        Path tooLong = directory.resolve("x".repeat(108));
        CoralException failure = failure(() -> SocketSession.connect(tooLong, Duration.ZERO));
        assertThat(failure.code()).isEqualTo(ErrorCode.NO_MANAGER);
        assertThat(failure).hasMessageContaining("limit=107");
    }

    @Test
    void shouldNameBothVersionsWhenTheyDiffer() throws Exception {
        CoralException failure = failureOfHandshake(() -> {
            manager.receive();
            manager.send(ManagerMessage.newBuilder().setWelcome(Wire.Welcome.newBuilder().setVersion(77)));
        });
        assertThat(failure.code()).isEqualTo(ErrorCode.PROTOCOL_MISMATCH);
        assertThat(failure).hasMessageContaining("clientVersion=2").hasMessageContaining("managerVersion=77");
    }

    @Test
    void shouldCallAPeerThatSpeaksAnotherProtocolAMismatch() throws Exception {
        CoralException failure = failureOfHandshake(() -> manager.sendRaw("HTTP/1.1 400 Bad Request\r\n".getBytes(UTF_8)));
        assertThat(failure.code()).isEqualTo(ErrorCode.PROTOCOL_MISMATCH);
        assertThat(failure).hasMessageContaining("clientVersion=2").hasMessageContaining("managerVersion=unknown");
    }

    @Test
    void shouldCallAPeerThatHangsUpAMismatch() throws Exception {
        assertThat(failureOfHandshake(manager::disconnect).code()).isEqualTo(ErrorCode.PROTOCOL_MISMATCH);
    }

    @Test
    void shouldNotWaitForeverForAPeerThatSaysNothing() {
        CoralException failure = failure(() -> SocketSession.connect(manager.path, Duration.ZERO, Duration.ofMillis(50)));
        assertThat(failure.code()).isEqualTo(ErrorCode.PROTOCOL_MISMATCH);
        assertThat(failure).hasMessageContaining("50 ms");
    }

    @Test
    void shouldPassOnWhyTheManagerRefuses() throws Exception {
        CoralException failure = failureOfHandshake(() -> manager.send(ManagerMessage.newBuilder().setFailed(
            Wire.Failed.newBuilder().setCode("QUEUE_FULL").setMessage("too many sessions: limit=3"))));
        assertThat(failure.code()).isEqualTo(ErrorCode.QUEUE_FULL);
        assertThat(failure).hasMessage("too many sessions: limit=3");
    }

    @Test
    void shouldFailWhatIsOutstandingWhenTheConnectionBreaks() throws Exception {
        try (Session session = connect()) {
            Segment segment = allocate(session, 1);
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").read(segment, 0, 1).build());
            manager.disconnect();
            assertThat(codeOf(request)).isEqualTo(ErrorCode.CONNECTION_LOST);
            assertThat(session.isOpen()).isFalse();
            segment.buffer(0, 4096).putLong(0, 1); // somebody may be writing just now
            assertThat(codeOf(session.submit(Request.of("a.b").build()))).isEqualTo(ErrorCode.CONNECTION_LOST);
            assertThat(failure(() -> session.allocate(1)).code()).isEqualTo(ErrorCode.CONNECTION_LOST);
        }
    }

    @Test
    void shouldFailWhatIsOutstandingWhenTheSessionIsClosed() throws Exception {
        Session session = connect();
        CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
        session.close();
        session.close();
        assertThat(codeOf(request)).isEqualTo(ErrorCode.SESSION_CLOSED);
        assertThat(codeOf(session.submit(Request.of("a.b").build()))).isEqualTo(ErrorCode.SESSION_CLOSED);
        assertThat(failure(() -> session.allocate(1)).code()).isEqualTo(ErrorCode.SESSION_CLOSED);
    }

    @ParameterizedTest
    @ValueSource(longs = {4096, 16384, 0, -1, Long.MAX_VALUE})
    void shouldRefuseMemoryThatIsNotOfTheSizeThatTheManagerSays(long saidBytes) throws Exception {
        try (Session session = connect(); SealedMemory memory = SealedMemory.create("lie", 8192)) {
            CompletableFuture<CoralException> failure = async(() -> failure(() -> session.allocate(5000)));
            long correlation = manager.receive().getCorrelation();
            manager.send(allocated(correlation, 1, saidBytes), memory);
            assertThat(failure.get().code()).isEqualTo(ErrorCode.CONNECTION_LOST);
            assertThat(session.isOpen()).isFalse();
        }
    }

    @Test
    void shouldRefuseASegmentSmallerThanAsked() throws Exception {
        try (Session session = connect(); SealedMemory memory = SealedMemory.create("lie", 4096)) {
            CompletableFuture<CoralException> failure = async(() -> failure(() -> session.allocate(4097)));
            manager.send(allocated(manager.receive().getCorrelation(), 1, 4096), memory);
            assertThat(failure.get().code()).isEqualTo(ErrorCode.CONNECTION_LOST);
        }
    }

    @Test
    void shouldRefuseAnAllocationWithoutItsDescriptor() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<CoralException> failure = async(() -> failure(() -> session.allocate(1)));
            manager.send(allocated(manager.receive().getCorrelation(), 1, 4096));
            assertThat(failure.get().code()).isEqualTo(ErrorCode.CONNECTION_LOST);
        }
    }

    @Test
    void shouldRefuseAnAnswerToNothingAsked() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            manager.send(ManagerMessage.newBuilder().setCorrelation(999).setDone(Wire.Done.getDefaultInstance()));
            assertThat(codeOf(request)).isEqualTo(ErrorCode.CONNECTION_LOST);
        }
    }

    @Test
    void shouldRefuseAnAnswerOfAnotherKind() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            manager.send(ManagerMessage.newBuilder().setCorrelation(manager.receive().getCorrelation())
                .setSealed(Wire.Sealed.getDefaultInstance()));
            assertThat(codeOf(request)).isEqualTo(ErrorCode.CONNECTION_LOST);
        }
    }

    @Test
    void shouldKeepTheMappingOfAClosedSegmentUntilItsRequestEnds() throws Exception {
        try (Session session = connect()) {
            Segment segment = allocate(session, 1);
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").read(segment, 0, 1).build());
            ClientMessage submit = manager.receive();
            segment.close();
            segment.close();
            assertThat(SealedMemory.liveCount()).isOne();
            assertThat(codeOf(session.submit(Request.of("a.b").read(segment, 0, 1).build())))
                .isEqualTo(ErrorCode.UNKNOWN_SEGMENT);
            assertThat(manager.receive().getFree().getSegment()).isEqualTo(1);
            manager.send(ManagerMessage.newBuilder().setCorrelation(submit.getCorrelation())
                .setDone(Wire.Done.newBuilder().setDevice("d").setQueueNanos(1).setTransferNanos(2).setRunNanos(3)));
            assertThat(request.get()).isEqualTo(new Completion("d", 1, 2, 3));
            assertThat(SealedMemory.liveCount()).isZero();
        }
    }

    @Test
    void shouldTellTheManagerOfACancellationAndKeepTheMappingUntilItAnswers() throws Exception {
        try (Session session = connect()) {
            Segment segment = allocate(session, 1);
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").write(segment, 0, 1).build());
            long correlation = manager.receive().getCorrelation();
            assertThat(request.cancel(true)).isTrue();
            assertThatThrownBy(request::get).isInstanceOf(CancellationException.class);
            ClientMessage cancel = manager.receive();
            assertThat(cancel.hasCancel()).isTrue();
            assertThat(cancel.getCorrelation()).isEqualTo(correlation);
            segment.close();
            assertThat(SealedMemory.liveCount()).isOne();
            manager.send(failed(correlation, "CANCELLED", "request was cancelled"));
            assertThat(manager.receive().hasFree()).isTrue();
            // Its answer has been taken in for certain when that to a later question is there.
            allocate(session, 1).close();
            assertThat(SealedMemory.liveCount()).isZero();
        }
    }

    @Test
    void shouldGiveBackASegmentWhoseAskerWasInterruptedAndGoOn() throws Exception {
        try (Session session = connect(); SealedMemory memory = SealedMemory.create("late", 4096)) {
            CompletableFuture<Boolean> stillInterrupted = new CompletableFuture<>();
            Thread asker = new Thread(() -> {
                CoralException failure = failure(() -> session.allocate(1));
                assertThat(failure.code()).isEqualTo(ErrorCode.CANCELLED);
                stillInterrupted.complete(Thread.currentThread().isInterrupted());
            });
            asker.start();
            long correlation = manager.receive().getCorrelation();
            asker.interrupt();
            assertThat(stillInterrupted.get(10, TimeUnit.SECONDS)).isTrue();
            asker.join();
            manager.send(allocated(correlation, 5, 4096), memory);
            assertThat(manager.receive().getFree().getSegment()).isEqualTo(5);
            assertThat(session.isOpen()).isTrue();
        }
    }

    @Test
    void shouldSubmitFromAnInterruptedThreadWithoutLosingTheConnection() throws Exception {
        try (Session session = connect()) {
            Thread.currentThread().interrupt();
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            assertThat(Thread.interrupted()).isTrue();
            manager.send(ManagerMessage.newBuilder().setCorrelation(manager.receive().getCorrelation())
                .setDone(Wire.Done.getDefaultInstance()));
            request.get();
            assertThat(session.isOpen()).isTrue();
        }
    }

    @Test
    void shouldRefuseToWaitForItselfOnItsReaderThread() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<CoralException> failure = session.submit(Request.of("a.b").build())
                .thenApply(done -> failure(() -> session.allocate(1)));
            manager.send(ManagerMessage.newBuilder().setCorrelation(manager.receive().getCorrelation())
                .setDone(Wire.Done.getDefaultInstance()));
            assertThat(failure.get().code()).isEqualTo(ErrorCode.INVALID_ARGUMENT);
        }
    }

    @Test
    void shouldKeepAnUnknownCodeOfANewerManagerInTheMessage() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            manager.send(failed(manager.receive().getCorrelation(), "FROM_THE_FUTURE", "no idea"));
            assertThatThrownBy(request::get).cause().hasMessageContaining("FROM_THE_FUTURE")
                .hasMessageContaining("no idea");
        }
    }

    @Test
    void shouldAskAnotherManagerAgainButForWhatMayHaveRunHalfWay() throws Exception {
        try (Session session = reconnecting()) {
            Segment a = allocate(session, 1);
            Segment b = allocate(session, 1);
            CompletableFuture<Completion> inPlace = session.submit(Request.of("in.place").readWrite(a, 0, 64).build());
            CompletableFuture<Completion> overwritten =
                session.submit(Request.of("overwritten").read(a, 64, 64).write(b, 0, 64).build());
            CompletableFuture<Completion> later =
                session.submit(Request.of("later").read(b, 64, 64).write(a, 127, 1).build());
            Segment closed = allocate(session, 1, 3);
            CompletableFuture<Completion> withTimeout = session.submit(
                Request.of("with.timeout").read(closed, 0, 1).timeout(Duration.ofDays(1)).build());
            CompletableFuture<Completion> cancelled = session.submit(Request.of("cancelled").read(a, 0, 1).build());
            manager.receive();
            manager.receive();
            closed.close();
            manager.receive();
            manager.disconnect();
            assertThat(codeOf(inPlace)).isEqualTo(ErrorCode.CONNECTION_LOST);
            assertThat(codeOf(overwritten)).isEqualTo(ErrorCode.CONNECTION_LOST);
            cancelled.cancel(true);
            CompletableFuture<Completion> meanwhile =
                session.submit(Request.of("meanwhile").readWrite(b, 0, 64).build());
            manager.welcome(2);
            List<Long> sizes = new ArrayList<>();
            for (int id = 11; id <= 13; id++) {
                ClientMessage attach = manager.receive();
                assertThat(attach.getDescriptors()).isOne();
                SealedMemory.adopt(manager.takeDescriptor(), 4096).close();
                sizes.add(attach.getAttach().getSizeBytes());
                manager.send(ManagerMessage.newBuilder().setCorrelation(attach.getCorrelation())
                    .setAttached(Wire.Attached.newBuilder().setSegment(id)));
            }
            assertThat(sizes).containsOnly(4096L);
            List<ClientMessage> again = List.of(manager.receive(), manager.receive(), manager.receive());
            assertThat(again).extracting(message -> message.getSubmit().getAccelerator())
                .containsExactly("later", "with.timeout", "meanwhile");
            assertThat(again.get(0).getSubmit().getArguments(1).getSlice().getSegment()).isBetween(11L, 13L);
            assertThat(again.get(1).getSubmit().getTimeoutNanos())
                .isPositive().isLessThan(Duration.ofDays(1).toNanos());
            assertThat(manager.receive().getFree().getSegment()).as("closed meanwhile").isBetween(11L, 13L);
            for (ClientMessage request : again) {
                manager.send(ManagerMessage.newBuilder().setCorrelation(request.getCorrelation())
                    .setDone(Wire.Done.getDefaultInstance()));
            }
            CompletableFuture.allOf(later, withTimeout, meanwhile).get(10, TimeUnit.SECONDS);
            assertThat(session.isOpen()).isTrue();
        }
    }

    @Test
    void shouldEndWhenTheManagerThatHungUpLivesSinceItHasFreedTheSegments() throws Exception {
        try (Session session = reconnecting()) {
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            manager.disconnect();
            manager.welcome(FakeManager.INSTANCE);
            assertThat(codeOf(request)).isEqualTo(ErrorCode.CONNECTION_LOST);
            assertThat(session.isOpen()).isFalse();
        }
    }

    @Test
    void shouldEndWhenTheNextManagerIsOfAnotherVersion() throws Exception {
        try (Session session = reconnecting()) {
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").build());
            manager.disconnect();
            manager.accept();
            manager.receive();
            manager.send(ManagerMessage.newBuilder().setWelcome(Wire.Welcome.newBuilder().setVersion(77)));
            assertThat(codeOf(request)).isEqualTo(ErrorCode.PROTOCOL_MISMATCH);
        }
    }

    @Test
    void shouldLookOnWhenAManagerDiesWhileItIsTakingTheSessionOver() throws Exception {
        try (Session session = reconnecting()) {
            Segment segment = allocate(session, 1);
            CompletableFuture<Completion> request = session.submit(Request.of("a.b").read(segment, 0, 1).build());
            manager.disconnect();
            manager.accept();
            manager.disconnect();
            manager.welcome(2);
            manager.receive();
            manager.disconnect();
            manager.welcome(3);
            ClientMessage attach = manager.receive();
            LibC.close(manager.takeDescriptor());
            manager.send(ManagerMessage.newBuilder().setCorrelation(attach.getCorrelation())
                .setAttached(Wire.Attached.newBuilder().setSegment(9)));
            assertThat(manager.receive().getSubmit().getArguments(0).getSlice().getSegment()).isEqualTo(9);
            manager.disconnect();
            manager.welcome(4);
            assertThat(manager.receive().hasAttach()).isTrue();
            session.close();
            assertThat(codeOf(request)).isEqualTo(ErrorCode.SESSION_CLOSED);
        }
    }

    @Test
    void shouldRefuseARequestThatFitsNoFrame() throws Exception {
        try (Session session = connect()) {
            CompletableFuture<Completion> request = session.submit(Request.of("x".repeat(Frame.MAX_BYTES)).build());
            assertThat(codeOf(request)).isEqualTo(ErrorCode.INVALID_ARGUMENT);
            assertThat(session.isOpen()).isTrue();
        }
    }

    private Session connect() throws Exception {
        return connect(Duration.ZERO);
    }

    private Session reconnecting() throws Exception {
        return connect(Duration.ofSeconds(30));
    }

    private Session connect(Duration reconnect) throws Exception {
        CompletableFuture<Void> welcomed = CompletableFuture.runAsync(() -> manager.welcome(FakeManager.INSTANCE));
        Session session = SocketSession.connect(manager.path, reconnect);
        welcomed.get();
        assertThat(session.accelerators()).containsExactly("a.b");
        return session;
    }

    private Segment allocate(Session session, long bytes) throws Exception {
        return allocate(session, bytes, 0);
    }

    /** @param unread messages that the manager finds before the question */
    private Segment allocate(Session session, long bytes, int unread) throws Exception {
        CompletableFuture<Segment> segment = async(() -> session.allocate(bytes));
        for (int i = 0; i < unread; i++) {
            assertThat(manager.receive().hasSubmit()).isTrue();
        }
        ClientMessage asked = manager.receive();
        try (SealedMemory memory = SealedMemory.create("fake", asked.getAllocate().getBytes())) {
            manager.send(allocated(asked.getCorrelation(), asked.getCorrelation(), memory.sizeBytes()), memory);
            return segment.get();
        }
    }

    private CoralException failureOfHandshake(Step step) throws Exception {
        CompletableFuture<CoralException> failure = async(() -> failure(() -> SocketSession.connect(manager.path, Duration.ZERO)));
        manager.accept();
        step.run();
        return failure.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    private static <T> CompletableFuture<T> async(java.util.function.Supplier<T> call) {
        return CompletableFuture.supplyAsync(call);
    }

    private static ManagerMessage.Builder allocated(long correlation, long segment, long sizeBytes) {
        return ManagerMessage.newBuilder().setCorrelation(correlation).setDescriptors(1)
            .setAllocated(Wire.Allocated.newBuilder().setSegment(segment).setSizeBytes(sizeBytes));
    }

    private static ManagerMessage.Builder failed(long correlation, String code, String message) {
        return ManagerMessage.newBuilder().setCorrelation(correlation)
            .setFailed(Wire.Failed.newBuilder().setCode(code).setMessage(message));
    }

    private static CoralException failure(org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        CoralException failure = catchThrowableOfType(call, CoralException.class);
        assertThat(failure).isNotNull();
        return failure;
    }

    private static ErrorCode codeOf(CompletableFuture<?> future) throws Exception {
        try {
            future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            return ((CoralException) e.getCause()).code();
        }
        throw new AssertionError("did not fail");
    }

    private interface Step {
        void run() throws Exception;
    }
}
