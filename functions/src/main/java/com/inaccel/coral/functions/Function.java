package com.inaccel.coral.functions;

import java.util.Set;

/**
 * What a function author writes, where neither a plain method nor the Kubeless form is enough. It has a public
 * constructor without parameters, and is called by many threads at once.
 */
public interface Function extends AutoCloseable {
    /** Called once, before the first call and before the function is ready. A failure keeps it from ever being ready. */
    default void open(FunctionContext context) { }

    /** Accelerators without which it is not ready. */
    default Set<String> accelerators() {
        return Set.of();
    }

    /** Called once, beside calls, after it was first ready: for what is better loaded before it is needed. */
    default void warmUp() { }

    /**
     * Answers one call.
     *
     * @throws FunctionException with the status that the caller gets; any other exception is a 500
     * @throws InterruptedException when the call's time is up: nobody waits for the answer any more
     */
    Answer call(Call call) throws Exception;

    /** Called once, when no call is running any more. */
    @Override
    default void close() { }
}
