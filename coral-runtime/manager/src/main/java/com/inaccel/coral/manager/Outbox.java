package com.inaccel.coral.manager;

import com.inaccel.coral.protocol.Frame;
import com.inaccel.coral.protocol.FrameChannel;
import java.io.IOException;
import java.util.ArrayDeque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Answers on their way to one client. Whoever has an answer sends it, without ever waiting: devices' threads end here.
 *
 * <p>What the client's socket does not take at once is kept, and a thread that lives as long as there is such a backlog
 * waits for the client. A client whose backlog grows beyond the limit is disconnected.
 */
final class Outbox implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Outbox.class);

    private final String client;
    private final FrameChannel channel;
    private final int maxFrames;
    /** Guarded by this, like all below. */
    private final ArrayDeque<Frame> backlog = new ArrayDeque<>();
    /** Null when there is no backlog; while there is one, nobody else sends, so that the order stays. */
    private Thread writer;
    private boolean closed;

    Outbox(String client, FrameChannel channel, int maxFrames) {
        this.client = client;
        this.channel = channel;
        this.maxFrames = maxFrames;
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
        if (backlog.size() >= maxFrames) {
            LOG.warn("client does not read its answers, disconnecting: client={}, unreadFrames={}, limit={}",
                client, backlog.size(), maxFrames);
            frame.close();
            disconnect();
            return;
        }
        backlog.add(frame);
        if (writer == null) {
            writer = new Thread(this::sendBacklog, "coral-client-writer " + client);
            writer.setDaemon(true);
            writer.start();
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
        }
        return frame;
    }

    private void disconnect() {
        closed = true;
        backlog.forEach(Frame::close);
        backlog.clear();
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
