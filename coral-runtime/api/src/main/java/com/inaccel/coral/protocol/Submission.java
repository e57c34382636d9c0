package com.inaccel.coral.protocol;

import com.inaccel.coral.Argument;
import com.inaccel.coral.Completion;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.Request;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;

/** A request's future, which keeps the mappings of its segments until the manager says that it has ended. */
final class Submission extends Outstanding<Completion> {
    private final SocketSession session;
    private final Request request;
    private final long submittedNanos = System.nanoTime();
    private final List<SocketSegment> held = new ArrayList<>();
    private final AtomicBoolean released = new AtomicBoolean();

    Submission(SocketSession session, Request request) {
        this.session = session;
        this.request = request;
    }

    /** Before it is asked: its segments stay mapped from here on. */
    void holdSegments() {
        for (Argument argument : request.arguments()) {
            if (argument instanceof Argument.Slice slice) {
                SocketSegment segment = session.own(slice.segment());
                segment.retain();
                held.add(segment);
            }
        }
    }

    /** Fixed from being asked on. */
    List<SocketSegment> segments() {
        return held;
    }

    /** Whether a run that was broken off half-way has spoiled what a second one reads. */
    boolean updatesInPlace() {
        return slices().stream().anyMatch(slice -> slice.access().reads() && slice.access().writes());
    }

    /** Whether this one, where it has run, has spoiled what the other one reads. */
    boolean overwritesInputOf(Submission other) {
        List<Argument.Slice> inputs = other.slices();
        return slices().stream().filter(written -> written.access().writes())
            .anyMatch(written -> inputs.stream().anyMatch(read -> read.access().reads() && overlap(written, read)));
    }

    private List<Argument.Slice> slices() {
        return request.arguments().stream().filter(Argument.Slice.class::isInstance).map(Argument.Slice.class::cast)
            .toList();
    }

    @SuppressWarnings("ReferenceEquality") // the same segment is the same object
    private static boolean overlap(Argument.Slice a, Argument.Slice b) {
        return a.segment() == b.segment() && a.offsetBytes() - b.offsetBytes() < b.lengthBytes()
            && b.offsetBytes() - a.offsetBytes() < a.lengthBytes();
    }

    @Override
    ClientMessage.Builder message(ManagerConnection connection) {
        Wire.Submit.Builder submit = RequestEncoding.encode(request, connection);
        if (sent) { // its time has been running since the first manager took it in
            request.timeout().ifPresent(timeout -> submit.setTimeoutNanos(RequestEncoding.saturatedNanos(
                timeout.minus(Duration.ofNanos(System.nanoTime() - submittedNanos)))));
        }
        return ClientMessage.newBuilder().setSubmit(submit);
    }

    @Override
    void answer(ManagerMessage message, ManagerConnection connection) throws FrameException {
        if (!message.hasDone()) {
            throw unexpected(message);
        }
        Wire.Done done = message.getDone();
        releaseSegments();
        complete(new Completion(done.getDevice(), done.getQueueNanos(), done.getTransferNanos(), done.getRunNanos()));
    }

    @Override
    void fail(CoralException failure) {
        releaseSegments();
        super.fail(failure);
    }

    @Override
    public Completion get() throws InterruptedException, ExecutionException {
        session.awaitAnswer(this);
        return super.get();
    }

    @Override
    public Completion join() {
        session.awaitAnswer(this);
        return super.join();
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        boolean cancelled = super.cancel(mayInterruptIfRunning);
        if (cancelled) {
            session.cancel(this);
        }
        return cancelled;
    }

    /** Lets go of the mappings: nobody will ask for it, or answer it, any more. Idempotent. */
    void releaseSegments() {
        if (released.compareAndSet(false, true)) {
            held.forEach(SocketSegment::release);
        }
    }
}
