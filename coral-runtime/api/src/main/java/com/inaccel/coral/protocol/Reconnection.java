package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** The thread that finds a session the successor of its manager, and moves its segments there; or ends the session. */
final class Reconnection extends Thread {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);
    private static final Duration LONGEST_PAUSE = Duration.ofMillis(500);

    private final SocketSession session;
    private final long lostInstance;
    private final Duration limit;
    private final String cause;
    /** Guarded by this, like the next. */
    private ManagerConnection attempt;
    private boolean givenUp;

    Reconnection(SocketSession session, long lostInstance, Duration limit, String cause) {
        super("coral-session-reconnection " + session.address());
        this.session = session;
        this.lostInstance = lostInstance;
        this.limit = limit;
        this.cause = cause;
        setDaemon(true);
    }

    /** The session has ended: wakes the thread, which ends too. */
    synchronized void giveUp() {
        givenUp = true;
        if (attempt != null) {
            attempt.shutdown();
        }
        notifyAll();
    }

    @Override
    public void run() {
        long deadline = System.nanoTime() + limit.toNanos();
        long pause = FIRST_PAUSE.toNanos();
        while (true) {
            Exception problem;
            try {
                if (tryOnce()) {
                    return;
                }
                problem = null;
            } catch (IOException | CoralException e) {
                problem = e;
            }
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                session.end(session.connectionLost(cause + ", and no other manager came: waited=" + limit
                    + (problem == null ? "" : ", lastProblem=" + problem.getMessage()), problem));
                return;
            }
            if (!pause(Math.min(left, pause))) {
                return;
            }
            pause = Math.min(2 * pause, LONGEST_PAUSE.toNanos());
        }
    }

    /** @return whether there is nothing left to do */
    private boolean tryOnce() throws IOException {
        ManagerConnection next = ManagerConnection.connect(session.socket());
        boolean handedOver = false;
        try {
            synchronized (this) {
                if (givenUp) {
                    return true;
                }
                attempt = next;
            }
            next.greet(SocketSession.HANDSHAKE_TIMEOUT);
            if (!next.isOfThisVersion()) {
                session.end(next.otherVersion());
                return true;
            }
            if (next.welcome().getInstance() == lostInstance) {
                session.end(session.connectionLost(cause + ", and the manager, which lives, has freed what it held", null));
                return true;
            }
            handedOver = moveTo(next);
            return true;
        } finally {
            synchronized (this) {
                attempt = null;
            }
            if (!handedOver) {
                next.close();
            }
        }
    }

    /** @return false when the session has ended */
    private boolean moveTo(ManagerConnection next) throws IOException {
        Map<SocketSegment, Long> attached = new HashMap<>();
        List<SocketSegment> retained = new ArrayList<>();
        try {
            for (SocketSegment segment : session.segmentsInUse()) {
                if (segment.retainIfUsed()) {
                    retained.add(segment);
                    attached.put(segment, next.attach(segment, SocketSession.HANDSHAKE_TIMEOUT));
                }
            }
            return session.resume(next, attached);
        } catch (CoralException e) {
            session.end(new CoralException(e.code(), "segment is lost with its manager, since the next one refuses it: "
                + e.getMessage(), e));
            return false;
        } finally {
            retained.forEach(SocketSegment::release);
        }
    }

    private synchronized boolean pause(long nanos) {
        long deadline = System.nanoTime() + nanos;
        long left;
        while (!givenUp && (left = deadline - System.nanoTime()) > 0) {
            try {
                TimeUnit.NANOSECONDS.timedWait(this, left);
            } catch (InterruptedException e) {
                return false; // nobody interrupts it but who ends the process
            }
        }
        return !givenUp;
    }
}
