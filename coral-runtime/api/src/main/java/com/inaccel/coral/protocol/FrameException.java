package com.inaccel.coral.protocol;

import java.io.IOException;

/** The peer sent what the protocol does not allow; the connection is of no use any more. */
public final class FrameException extends IOException {
    private static final long serialVersionUID = 1L;

    public FrameException(String message) {
        super(message);
    }
}
