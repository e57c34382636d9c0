package com.inaccel.coral.manager;

import com.inaccel.coral.protocol.Frame;
import com.inaccel.coral.protocol.FrameChannel;
import java.io.IOException;
import java.util.ArrayDeque;

/**
 * Answers on their way to one client. Whoever has an answer sends it, without ever waiting: devices' threads end here.
 *
 * <p>What the client's socket does not take at once is kept, and a thread that lives as long as there is such a backlog
 * waits for the client. Nothing more is read from a client with a backlog ({@link #awaitRoom}), so it cannot grow beyond
 * the answers to the requests that are outstanding already: whoever does not read his answers is not served any more,
 * and takes up little.
 */
final class Outbox implements AutoCloseable {
    private final String client;
    private final FrameChannel channel;
    /** Guarded by this, like all below. */
    private final ArrayDeque<Frame> backlog = new ArrayDeque<>();
    /** Null when there is no backlog; while there is one, nobody else sends, so that the order stays. */
    private Thread writer;
    private boolean closed;

    Outbox(String client, FrameChannel channel) {
        this.client = client;
        this.channel = channel;
    }

    /** Waits for the client to read what it was sent, or for the connection to end. */
    synchronized void awaitRoom() {
        boolean interrupted = false;
        while (!closed && writer != null) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Owns the frame. */
    synchronized void put(Frame frame) {
        if (closed) {
            frame.close();
            return;
        }
        try {
            if (writer == null && channel.trySend(frame)) {
                return;
            }
        } catch (IOException e) {
            frame.close();
            disconnect(); // the client has gone: its reader thread sees that too, and cleans up
            return;
        }
        backlog.add(frame);
        if (writer == null) {
            writer = new Thread(this::sendBacklog, "coral-client-writer " + client);
            writer.setDaemon(true);
            try {
                writer.start();
            } catch (OutOfMemoryError e) { // no thread left: better this connection than the device's thread
                writer = null;
                disconnect();
            }
        }
    }

    private void sendBacklog() {
        try {
            for (Frame frame; (frame = next()) != null; ) {
                channel.send(frame);
            }
        } catch (IOException e) {
            synchronized (this) {
                disconnect();
            }
        }
    }

    private synchronized Frame next() {
        Frame frame = backlog.poll();
        if (frame == null) {
            writer = null;
            notifyAll();
        }
        return frame;
    }

    private void disconnect() {
        closed = true;
        backlog.forEach(Frame::close);
        backlog.clear();
        notifyAll();
        channel.shutdown();
    }

    /** Drops what has not been sent, and disconnects. */
    @Override
    public void close() {
        Thread running;
        synchronized (this) {
            disconnect();
            running = writer;
        }
        if (running != null) {
            Threads.join(running); // at once: its socket has been shut down
        }
    }
}
