package com.inaccel.coral.simulator;

/** A request in virtual time. Times are in nanoseconds. */
final class Job {
    static final int NO_DATA = -1;

    final Tenant tenant;
    /** What it needs programmed. */
    final int accelerator;
    final long runNanos;
    /** What the scheduler is told that it takes. */
    final long expectedNanos;
    /** The sealed data that it reads; {@link #NO_DATA} for none. */
    final int data;
    final long dataBytes;
    /** Tells whoever waits for it. */
    private final Runnable whenEnded;

    long submittedNanos;
    /** Whether a device failed under it: it is tried again once. */
    boolean failedBefore;
    boolean ended;
    /** While a device has it: which, from when on without programming, and what it makes the device do besides running it. */
    int device = -1;
    long beginNanos;
    long copyNanos;
    /** The rule's own note of it. */
    Object ticket;

    Job(Tenant tenant, int accelerator, long runNanos, long expectedNanos, int data, long dataBytes, Runnable whenEnded) {
        this.tenant = tenant;
        this.accelerator = accelerator;
        this.runNanos = runNanos;
        this.expectedNanos = expectedNanos;
        this.data = data;
        this.dataBytes = dataBytes;
        this.whenEnded = whenEnded;
    }

    /** Without data, and expected to take what it takes. */
    Job(Tenant tenant, int accelerator, long runNanos, Runnable whenEnded) {
        this(tenant, accelerator, runNanos, runNanos, NO_DATA, 0, whenEnded);
    }

    void end() {
        if (ended) {
            throw new IllegalStateException("request ended twice: allocation=" + tenant.name());
        }
        ended = true;
        whenEnded.run();
    }
}
