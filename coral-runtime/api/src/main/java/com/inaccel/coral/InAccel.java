package com.inaccel.coral;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;

/**
 * What programs for the earlier Coral call, so that they need only be compiled again. New ones want {@link Session}.
 *
 * <p>Requests go to the session that {@link Accelerators} shares. Needs {@code io.netty:netty-buffer} on the class path, which
 * such programs have.
 */
public final class InAccel {
    private InAccel() { }

    /**
     * Hands a request in. Cancelling the future cancels the request.
     *
     * @return ends with null, or in an {@link java.util.concurrent.ExecutionException} whose cause is a {@link CoralException}
     */
    public static Future<Void> submit(Request request) {
        try {
            com.inaccel.coral.Request built = request.build();
            CompletableFuture<Completion> completion = Accelerators.session().submit(built);
            CompletableFuture<Void> done = completion.thenApply(ended -> null);
            done.whenComplete((nothing, problem) -> {
                if (done.isCancelled()) {
                    completion.cancel(true);
                }
            });
            return done;
        } catch (CoralException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    /**
     * An accelerator call; arguments have their positions in its manifest. Not thread-safe, and may be submitted again.
     *
     * <p>The accelerator's manifest says which arguments are read and which are written, and is what types are checked against when
     * the request is submitted.
     */
    public static final class Request {
        private final String accelerator;
        private final TreeMap<Integer, Argument> arguments = new TreeMap<>();
        private int next;

        /** @param accelerator {@code bitstreamId.kernelId} */
        public Request(String accelerator) {
            this.accelerator = accelerator;
        }

        /** At the next position. */
        public Request arg(Number value) {
            return arg(value, next++);
        }

        /** An int, long, float or double; a byte or a short is passed as an int. */
        public Request arg(Number value, int index) {
            if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
                return put(index, new Argument.Int(value.intValue()));
            } else if (value instanceof Long) {
                return put(index, new Argument.Long(value.longValue()));
            } else if (value instanceof Float) {
                return put(index, new Argument.Float(value.floatValue()));
            } else if (value instanceof Double) {
                return put(index, new Argument.Double(value.doubleValue()));
            }
            throw invalid("not a number that accelerators take: type=" + value.getClass().getName()
                + "; pass an int, long, float or double", index);
        }

        /** At the next position. */
        public Request arg(ByteBuffer value) {
            return arg(value, next++);
        }

        /** All of a direct buffer that lies in memory of {@link InAccelByteBufAllocator}, whatever its position. */
        public Request arg(ByteBuffer value, int index) {
            return put(index, InAccelByteBufAllocator.slice(value));
        }

        /** At the next position. */
        public Request arg(ByteBuf value) {
            return arg(value, next++);
        }

        /** All of a buffer of {@link InAccelByteBufAllocator}, whatever its indices. */
        public Request arg(ByteBuf value, int index) {
            return put(index, InAccelByteBufAllocator.slice(value.nioBuffer(0, value.capacity())));
        }

        private Request put(int index, Argument argument) {
            if (index < 0) {
                throw invalid("not a position: least=0", index);
            }
            arguments.put(index, argument);
            return this;
        }

        private com.inaccel.coral.Request build() {
            com.inaccel.coral.Request.Builder request = com.inaccel.coral.Request.of(accelerator);
            for (int index = 0; index < arguments.size(); index++) {
                if (!arguments.containsKey(index)) {
                    throw invalid("argument is missing: given=" + arguments.keySet() + "; set them all", index);
                }
                request.arg(arguments.get(index));
            }
            return request.build();
        }

        private CoralException invalid(String what, int index) {
            return new CoralException(ErrorCode.INVALID_ARGUMENT,
                what + " (accelerator=" + accelerator + ", index=" + index + ")");
        }

        @Override
        public String toString() {
            return accelerator + arguments.values();
        }
    }
}
