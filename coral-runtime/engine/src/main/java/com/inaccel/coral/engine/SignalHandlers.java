package com.inaccel.coral.engine;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;

/**
 * Puts back the signal handlers that an OpenCL driver replaces while it is loaded or compiles.
 *
 * <p>LLVM, inside PoCL and other drivers, installs handlers of its own for SIGSEGV and others, once a process, which vanish
 * when they are used. The JVM stops its threads by SIGSEGV: two threads that stop at the same moment would find the one
 * handler gone and no other there yet, and the kernel would kill the process without a trace.
 *
 * <p>Several threads may be in drivers at once: what the first of them found is what each puts back.
 */
final class SignalHandlers implements AutoCloseable {
    /** All that LLVM takes: HUP, INT, QUIT, ILL, TRAP, ABRT, BUS, FPE, USR1, SEGV, USR2, TERM, URG, XCPU, XFSZ, SYS (Linux). */
    private static final int[] SIGNALS = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 15, 23, 24, 25, 31};
    /** More than any architecture's {@code struct sigaction}. */
    private static final int SIGACTION_BYTES = 256;

    static {
        Native.register(SignalHandlers.class, "c");
    }

    /** Found while no thread was in a driver; null for a signal that has none. Guarded by the class, like the next. */
    private static Memory[] kept = new Memory[0];
    private static int inDrivers;

    private SignalHandlers() { }

    private static native int sigaction(int signal, Pointer action, Pointer old);

    /** Remembers the handlers of now. */
    static SignalHandlers keep() {
        synchronized (SignalHandlers.class) {
            if (inDrivers == 0) {
                kept = current();
            }
            inDrivers++;
            return new SignalHandlers();
        }
    }

    private static Memory[] current() {
        Memory[] handlers = new Memory[SIGNALS.length];
        for (int i = 0; i < SIGNALS.length; i++) {
            Memory old = new Memory(SIGACTION_BYTES);
            if (sigaction(SIGNALS[i], Pointer.NULL, old) == 0) {
                handlers[i] = old;
            }
        }
        return handlers;
    }

    /** Installs the remembered handlers again. */
    @Override
    public void close() {
        synchronized (SignalHandlers.class) {
            inDrivers--;
            for (int i = 0; i < SIGNALS.length; i++) {
                if (kept[i] != null) {
                    sigaction(SIGNALS[i], kept[i], Pointer.NULL);
                }
            }
        }
    }
}
