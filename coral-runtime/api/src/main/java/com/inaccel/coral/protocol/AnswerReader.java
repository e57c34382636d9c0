package com.inaccel.coral.protocol;

import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.io.IOException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Takes in what one manager answers over one connection, and passes it to the session.
 *
 * <p>This thread does, unless a caller who waits for an answer does so itself: then none but that caller is woken when the
 * answer comes, and waking a thread takes as long as a short request. Whoever reads, one at a time, takes in all that comes,
 * for whomever it is. The thread leaves reading to callers when one waited for the last answer, and takes it up again when
 * none has read for a while, when a caller gave up, or left answers of others to come.
 */
final class AnswerReader extends Thread {
    /** How long a caller reads; interrupts and cancellations are not seen meanwhile. */
    private static final int CALLER_MILLIS = 1;
    /** How long the thread waits for the next caller to read: the longest that an answer lies there unread. */
    private static final long YIELD_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final SocketSession session;
    private final ManagerConnection connection;
    private final FrameChannel channel;

    /** Held by whoever reads. */
    private final ReentrantLock turn = new ReentrantLock();
    /** Why nothing more will come; null before. Guarded by the turn. */
    private String end;
    /** Whether a caller would have read if it had been its turn. */
    private volatile boolean asked;
    /** Whether the thread has to read. */
    private volatile boolean needed;
    /** When a caller read last, or the thread began to wait for one. */
    private volatile long lastCallerNanos;

    AnswerReader(SocketSession session, ManagerConnection connection, FrameChannel channel) {
        super("coral-session-reader " + session.address());
        this.session = session;
        this.connection = connection;
        this.channel = channel;
        setDaemon(true);
    }

    /** Whether the calling thread is the one that takes in this session's answers, and so must not wait for one. */
    boolean isReading() {
        return Thread.currentThread() == this || turn.isHeldByCurrentThread();
    }

    /** Whether the calling thread is one of the session's readers, maybe that of a connection that broke. */
    static boolean isOf(SocketSession session) {
        return Thread.currentThread() instanceof AnswerReader reader && reader.session == session;
    }

    /** The connection's owner until it ends: closes it, as its last act. */
    @Override
    public void run() {
        turn.lock();
        try (channel) {
            while (end == null) {
                if (asked && session.awaitsNothing()) {
                    yieldToCallers();
                } else {
                    read();
                }
            }
        } finally {
            end = end == null ? "its reader failed" : end; // no caller may read from what is closed
            turn.unlock();
            session.broke(connection, end);
        }
    }

    /** Gives up the turn for as long as callers read. */
    private void yieldToCallers() {
        asked = false;
        needed = false;
        lastCallerNanos = System.nanoTime();
        turn.unlock();
        try {
            // What was asked before the turn was free is this thread's to read: its caller did not get the turn.
            boolean callersRead = session.awaitsNothing();
            while (callersRead && !needed) {
                LockSupport.parkNanos(this, YIELD_NANOS);
                callersRead = System.nanoTime() - lastCallerNanos < YIELD_NANOS;
            }
        } finally {
            turn.lock();
        }
    }

    /** Ends the yielding, if need be. */
    void takeUp() {
        needed = true;
        LockSupport.unpark(this);
    }

    /**
     * By a caller who is about to wait for an answer: takes in what comes until it is there, unless another thread does
     * so already or it takes long. Afterwards the caller waits for the future as ever.
     */
    void readFor(Future<?> answer) {
        if (!turn.tryLock()) {
            asked = true;
            return;
        }
        boolean ended;
        try {
            long start = System.nanoTime();
            while (end == null && !answer.isDone()
                    && System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(CALLER_MILLIS)) {
                readSoon();
            }
            ended = end != null;
            lastCallerNanos = System.nanoTime();
        } finally {
            turn.unlock();
        }
        if (ended || !session.awaitsNothing()) {
            takeUp();
        }
    }

    /** With the turn held, like the next two. */
    private void readSoon() {
        try {
            if (!channel.awaitInput(CALLER_MILLIS)) {
                return;
            }
        } catch (IOException e) {
            end = e.getMessage();
            return;
        }
        read();
    }

    private void read() {
        try {
            ManagerMessage message = channel.read(ManagerMessage.parser()).orElse(null);
            if (message == null) {
                end = "closed by the manager";
            } else {
                session.dispatch(message, connection);
            }
        } catch (IOException e) {
            end = e.getMessage();
        }
    }
}
