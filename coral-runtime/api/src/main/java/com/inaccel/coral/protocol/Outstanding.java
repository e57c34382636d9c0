package com.inaccel.coral.protocol;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.protocol.Wire.ClientMessage;
import com.inaccel.coral.protocol.Wire.ManagerMessage;
import java.util.concurrent.CompletableFuture;

/**
 * Something asked of the manager and not answered yet: the future of its answer. Ends once, by {@link #answer} or
 * {@link #fail}; between the two it may be asked again, of another manager, under the same correlation.
 */
abstract class Outstanding<T> extends CompletableFuture<T> {
    /** Set once, before it is first sent. */
    long correlation;
    /** Guarded by the session's gate: whether a manager may have seen it. */
    boolean sent;

    /** As it is to be sent on this connection, on which its segments have ids of their own. */
    abstract ClientMessage.Builder message(ManagerConnection connection);

    /** @throws FrameException when it is no answer to this */
    abstract void answer(ManagerMessage message, ManagerConnection connection) throws FrameException;

    void fail(CoralException failure) {
        completeExceptionally(failure);
    }

    /** Whether another manager must not be asked for it, since nobody waits for it there any more. */
    boolean isMoot() {
        return isDone();
    }

    static FrameException unexpected(ManagerMessage message) {
        return new FrameException("answer of another kind: body=" + message.getBodyCase());
    }

    /** Of a segment that was closed. A manager that has died has freed it too. */
    static final class Free extends Outstanding<Void> {
        private final long id;

        /** @param id that of the connection on which it is sent, once */
        Free(long id) {
            this.id = id;
        }

        @Override
        ClientMessage.Builder message(ManagerConnection connection) {
            return ClientMessage.newBuilder().setFree(Wire.Free.newBuilder().setSegment(id));
        }

        @Override
        void answer(ManagerMessage message, ManagerConnection connection) throws FrameException {
            if (!message.hasFreed()) {
                throw unexpected(message);
            }
            complete(null);
        }

        @Override
        boolean isMoot() {
            return true;
        }
    }

    static final class Seal extends Outstanding<Void> {
        private final SocketSegment segment;
        private final long usedBytes;

        Seal(SocketSegment segment, long usedBytes) {
            this.segment = segment;
            this.usedBytes = usedBytes;
        }

        @Override
        ClientMessage.Builder message(ManagerConnection connection) {
            return ClientMessage.newBuilder()
                .setSeal(Wire.Seal.newBuilder().setSegment(segment.idOn(connection)).setUsedBytes(usedBytes));
        }

        @Override
        void answer(ManagerMessage message, ManagerConnection connection) throws FrameException {
            if (!message.hasSealed()) {
                throw unexpected(message);
            }
            segment.sealed(usedBytes, message.getSealed().getSizeBytes());
            complete(null);
        }
    }
}
