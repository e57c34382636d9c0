package com.inaccel.coral;

import static java.util.Objects.requireNonNull;

/** A failure with a stable {@link ErrorCode}. The message names the value, the limit and the fix, as {@code key=value}. */
public final class CoralException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ErrorCode code;

    public CoralException(ErrorCode code, String message) {
        this(code, message, null);
    }

    public CoralException(ErrorCode code, String message, Throwable cause) {
        super(message, cause);
        this.code = requireNonNull(code);
    }

    public ErrorCode code() {
        return code;
    }

    @Override
    public String toString() {
        return getClass().getName() + ": " + code + ": " + getMessage();
    }
}
