package com.inaccel.coral.functions;

/** Everything that can go wrong with a call, each with its HTTP status. The names are in answers and metrics. */
public enum Problem {
    /** Neither an image nor a command that the function knows. */
    BAD_REQUEST(400),
    /** A CloudEvent or a notification of another shape than its kind has. */
    BAD_EVENT(400),
    NO_PERMISSION(403),
    NO_SUCH_KEY(404),
    NO_SUCH_BUCKET(404),
    METHOD_NOT_ALLOWED(405),
    /** More bytes or pixels than the limit. */
    TOO_LARGE(413),
    /** Bytes of no format that is read here. */
    UNSUPPORTED_FORMAT(415),
    /** It begins like an image and is none to the end. */
    BROKEN_IMAGE(422),
    EMPTY_OBJECT(422),
    /** Several images in one: which of them is meant? */
    ANIMATED_IMAGE(422),
    /** As many calls run as may at once. */
    TOO_MANY_CALLS(429),
    HANDLER_FAILED(500),
    /** The class or method that was configured does not exist or has another shape. */
    NO_HANDLER(501),
    /** No installed bitstream offers the accelerator. */
    NO_ACCELERATOR(501),
    /** The object store answers with errors, or not at all. */
    STORE_UNAVAILABLE(503),
    ACCELERATOR_UNAVAILABLE(503),
    /** The host is stopping. */
    STOPPING(503),
    TIMEOUT(504);

    private final int status;

    Problem(int status) {
        this.status = status;
    }

    public int status() {
        return status;
    }

    /** Whether the same call may succeed later: whoever sends events sends it again then. */
    public boolean isTransient() {
        return status == 429 || status >= 500;
    }
}
