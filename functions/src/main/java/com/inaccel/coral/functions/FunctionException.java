package com.inaccel.coral.functions;

import static java.util.Objects.requireNonNull;

import com.inaccel.coral.CoralException;

/** A failure whose message is for the caller: it names the value, the limit and the fix. */
public final class FunctionException extends RuntimeException {
    /** Names the problem in an answer, beside the status that several share. */
    public static final String HEADER = "Coral-Problem";

    private static final long serialVersionUID = 1L;

    private final Problem problem;

    public FunctionException(Problem problem, String message) {
        this(problem, message, null);
    }

    public FunctionException(Problem problem, String message, Throwable cause) {
        super(message, cause);
        this.problem = requireNonNull(problem);
    }

    /** What a failure of Coral means to the caller of a function. */
    public static FunctionException of(CoralException failure) {
        Problem problem = switch (failure.code()) {
            case INVALID_ARGUMENT, OUT_OF_RANGE -> Problem.BAD_REQUEST;
            case UNKNOWN_ACCELERATOR, BAD_BITSTREAM -> Problem.NO_ACCELERATOR;
            case DEADLINE_EXCEEDED, CANCELLED -> Problem.TIMEOUT;
            case UNKNOWN_SEGMENT, SEGMENT_SEALED, INTERNAL -> Problem.HANDLER_FAILED;
            case SESSION_CLOSED, PROTOCOL_MISMATCH, NO_MANAGER, CONNECTION_LOST, DEVICE_FAILED, QUOTA_EXCEEDED,
                SHARED_MEMORY_EXHAUSTED, DEVICE_MEMORY_EXHAUSTED, QUEUE_FULL -> Problem.ACCELERATOR_UNAVAILABLE;
        };
        return new FunctionException(problem, failure.code() + ": " + failure.getMessage(), failure);
    }

    public Problem problem() {
        return problem;
    }
}
