package com.inaccel.coral.manager;

final class Threads {
    private Threads() { }

    /** Waits for a thread that is bound to end, whatever interrupts; an interrupt is kept for the caller. */
    static void join(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
