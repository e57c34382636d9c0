package com.inaccel.coral;

/** Stable codes of everything that can go wrong, each with who must act. The names are part of the wire protocol. */
public enum ErrorCode {
    /** An argument's value or type is not what the accelerator's signature asks for. */
    INVALID_ARGUMENT(Actor.CALLER),
    /** An offset or a length lies outside its segment, or a buffer is too short for the sizes given. */
    OUT_OF_RANGE(Actor.CALLER),
    /** The id names no segment of this session. */
    UNKNOWN_SEGMENT(Actor.CALLER),
    /** A sealed segment was passed where the accelerator writes. */
    SEGMENT_SEALED(Actor.CALLER),
    CANCELLED(Actor.CALLER),
    DEADLINE_EXCEEDED(Actor.CALLER),
    SESSION_CLOSED(Actor.CALLER),
    /** Client and manager speak different protocol versions, or the peer does not speak it at all. */
    PROTOCOL_MISMATCH(Actor.OPERATOR),
    /** Nothing listens at the address. */
    NO_MANAGER(Actor.OPERATOR),
    /** The connection broke while a request was outstanding. */
    CONNECTION_LOST(Actor.OPERATOR),
    /** No installed bitstream implements the accelerator for any device here. */
    UNKNOWN_ACCELERATOR(Actor.OPERATOR),
    /** A bitstream or its manifest is malformed, or its source does not compile. */
    BAD_BITSTREAM(Actor.OPERATOR),
    DEVICE_FAILED(Actor.OPERATOR),
    INTERNAL(Actor.OPERATOR),
    /** The allocation's shared-memory quota is used up. */
    QUOTA_EXCEEDED(Actor.RESOURCES),
    /** The machine has no shared memory left. */
    SHARED_MEMORY_EXHAUSTED(Actor.RESOURCES),
    DEVICE_MEMORY_EXHAUSTED(Actor.RESOURCES),
    /** Too many requests are waiting; nothing was accepted, try again when some have ended. */
    QUEUE_FULL(Actor.RESOURCES);

    /** Who can mend it. */
    public enum Actor { CALLER, OPERATOR, RESOURCES }

    private final Actor actor;

    ErrorCode(Actor actor) {
        this.actor = actor;
    }

    public Actor actor() {
        return actor;
    }
}
