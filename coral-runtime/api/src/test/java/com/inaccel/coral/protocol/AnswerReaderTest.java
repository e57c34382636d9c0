package com.inaccel.coral.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Callers who wait take in the answers themselves, and whatever else comes: nothing is lost with them, nor hangs. */
@Timeout(60)
class AnswerReaderTest {
    private static final Request PROMPT = Request.of("prompt").build();
    private static final int REPEATS = 5; // whether the caller reads when it happens is up to the machine

    @TempDir
    Path directory;

    private final BlockingQueue<Long> silent = new LinkedBlockingQueue<>();
    private FakeManager manager;
    private Thread answering;
    private SocketSession session;

    @BeforeEach
    void connect() throws IOException {
        manager = new FakeManager(directory);
        answering = new Thread(this::answer, "answering");
        answering.start();
        session = SocketSession.connect(manager.path, Duration.ZERO);
        untilCallersRead();
    }

    private void answer() {
        manager.welcome(FakeManager.INSTANCE);
        try {
            while (true) {
                ClientMessage message = manager.receive();
                if (message.hasSubmit()) {
                    answer(message.getCorrelation(), message.getSubmit().getAccelerator());
                }
            }
        } catch (IOException | NoSuchElementException e) {
            manager.disconnect(); // the session was closed
        }
    }

    private void answer(long correlation, String accelerator) throws IOException {
        switch (accelerator) {
            case "prompt" -> done(correlation);
            case "silent" -> silent.add(correlation);
            case "lie" -> manager.send(ManagerMessage.newBuilder().setCorrelation(correlation)
                .setSealed(Wire.Sealed.getDefaultInstance()));
            default -> throw new IOException("hangs up");
        }
    }

    private void done(long correlation) throws IOException {
        manager.send(ManagerMessage.newBuilder().setCorrelation(correlation)
            .setDone(Wire.Done.newBuilder().setRunNanos(correlation)));
    }

    /** A caller who did not get the turn asks for it, so that a later one does. */
    private void untilCallersRead() {
        boolean read = false;
        while (!read) {
            CompletableFuture<Completion> request = session.submit(PROMPT);
            boolean open = !request.isDone();
            CompletableFuture<Thread> taker = request.thenApply(done -> Thread.currentThread());
            open &= !taker.isDone();
            request.join();
            read = open && taker.join().equals(Thread.currentThread());
        }
    }

    @AfterEach
    void nothingIsLeft() throws InterruptedException {
        session.close();
        manager.close();
        answering.join();
        assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
            .noneMatch(name -> name.startsWith("coral-session-reader"));
    }

    @Test
    void shouldEndEachRequestOnceWhoeverReads() throws Exception {
        int each = 500;
        AtomicInteger ended = new AtomicInteger();
        List<Thread> callers = new ArrayList<>();
        List<CompletableFuture<Void>> results = new ArrayList<>();
        for (int caller = 0; caller < 4; caller++) {
            boolean waits = caller < 2;
            CompletableFuture<Void> result = new CompletableFuture<>();
            results.add(result);
            callers.add(new Thread(() -> {
                List<CompletableFuture<Void>> open = new ArrayList<>();
                for (int i = 0; i < each; i++) {
                    CompletableFuture<Completion> request = session.submit(PROMPT);
                    open.add(request.thenRun(ended::incrementAndGet));
                    if (waits) {
                        request.join();
                    }
                }
                CompletableFuture.allOf(open.toArray(new CompletableFuture<?>[0])).thenRun(() -> result.complete(null));
            }));
        }
        callers.forEach(Thread::start);
        for (int i = 0; i < callers.size(); i++) {
            callers.get(i).join();
            results.get(i).get(30, TimeUnit.SECONDS);
        }
        assertThat(ended).hasValue(4 * each);
    }

    @RepeatedTest(REPEATS)
    void shouldTakeInWhatNobodyWaitsFor() throws Exception {
        CompletableFuture<Boolean> taken = new CompletableFuture<>();
        session.submit(PROMPT).thenRun(() -> taken.complete(true));
        assertThat(taken.get(10, TimeUnit.SECONDS)).isTrue();
    }

    @RepeatedTest(REPEATS)
    void shouldTakeInLaterWhatACallerGaveUpReadingFor() throws Exception {
        CompletableFuture<Completion> request = session.submit(Request.of("silent").build());
        CompletableFuture<Completion> waiting = CompletableFuture.supplyAsync(request::join);
        long correlation = silent.take();
        session.submit(PROMPT).join();
        done(correlation);
        assertThat(waiting.get(10, TimeUnit.SECONDS).runNanos()).isEqualTo(correlation);
    }

    @RepeatedTest(REPEATS)
    void shouldHeedAnInterrupt() throws Exception {
        CompletableFuture<Completion> request = session.submit(Request.of("silent").build());
        CompletableFuture<Exception> failure = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                request.get();
            } catch (Exception e) {
                failure.complete(e);
            }
        });
        caller.start();
        long correlation = silent.take();
        caller.interrupt();
        assertThat(failure.get(10, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
        done(correlation);
        assertThat(request.get(10, TimeUnit.SECONDS).runNanos()).isEqualTo(correlation);
    }

    @RepeatedTest(REPEATS)
    void shouldHeedACancellation() throws Exception {
        CompletableFuture<Completion> request = session.submit(Request.of("silent").build());
        CompletableFuture<Completion> waiting = CompletableFuture.supplyAsync(request::join);
        silent.take();
        request.cancel(true);
        assertThatThrownBy(() -> waiting.get(10, TimeUnit.SECONDS)).hasCauseInstanceOf(CancellationException.class);
    }

    @RepeatedTest(REPEATS)
    void shouldFailWhenTheManagerHangsUp() {
        assertThat(codeOf(session.submit(Request.of("hang.up").build()))).isEqualTo(ErrorCode.CONNECTION_LOST);
        assertThat(session.isOpen()).isFalse();
    }

    @RepeatedTest(REPEATS)
    void shouldFailWhenTheManagerLies() {
        assertThat(codeOf(session.submit(Request.of("lie").build()))).isEqualTo(ErrorCode.CONNECTION_LOST);
        assertThat(session.isOpen()).isFalse();
    }

    @RepeatedTest(REPEATS)
    void shouldRefuseToWaitForItselfWhoeverReads() throws Exception {
        CompletableFuture<Completion> nested;
        do {
            CompletableFuture<Completion> request = session.submit(Request.of("silent").build());
            nested = request.thenApply(done -> session.submit(PROMPT).join());
            done(silent.take());
            request.join();
            nested.exceptionally(refused -> null).join();
        } while (!nested.isCompletedExceptionally()); // a caller who has waited runs what is chained, too, and may wait then
        assertThat(codeOf(nested)).isEqualTo(ErrorCode.INVALID_ARGUMENT);
    }

    @RepeatedTest(REPEATS)
    void shouldCloseFromWhatIsChainedToAFuture() throws Exception {
        CompletableFuture<Completion> request = session.submit(Request.of("silent").build());
        CompletableFuture<Void> closed = request.thenRun(session::close);
        done(silent.take());
        request.join();
        closed.join();
        assertThat(session.isOpen()).isFalse();
    }

    private static ErrorCode codeOf(CompletableFuture<?> future) {
        try {
            future.join();
        } catch (CompletionException e) {
            return ((CoralException) e.getCause()).code();
        }
        throw new AssertionError("did not fail");
    }
}
