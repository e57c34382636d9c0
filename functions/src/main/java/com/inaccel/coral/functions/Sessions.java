package com.inaccel.coral.functions;

import com.inaccel.coral.Coral;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.Session;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;

/** The host's one session to Coral, made again where it ended, and whether Coral is there. Thread-safe. */
final class Sessions implements Supplier<Session>, AutoCloseable {
    /** Probes come from several sides, every second or so. */
    private static final long PROBE_NANOS = 500_000_000;

    private final String address;
    private Session session;
    private boolean closed;
    private final Object probing = new Object();
    private volatile Probe last = new Probe(Optional.of("not probed yet"), System.nanoTime() - 2 * PROBE_NANOS);

    private record Probe(Optional<String> obstacle, long nanos) { }

    /** @param address as {@link Coral#open(String)} takes it */
    Sessions(String address) {
        this.address = address;
    }

    String address() {
        return address;
    }

    /** @throws CoralException where Coral is not there */
    @Override
    public synchronized Session get() {
        if (closed) {
            throw new FunctionException(Problem.STOPPING, "the function host is stopping; ask another one");
        }
        if (session != null && !session.isOpen()) {
            session.close();
            session = null;
        }
        if (session == null) {
            session = Coral.open(address);
        }
        return session;
    }

    /**
     * What keeps these accelerators from being used now; empty where nothing does. Says hello anew, since what a session knows
     * of accelerators is as old as its connection; at most every half second, and one at a time: others get the last word.
     */
    Optional<String> obstacle(Set<String> needed) {
        synchronized (probing) {
            if (System.nanoTime() - last.nanos > PROBE_NANOS) {
                last = new Probe(probe(needed), System.nanoTime());
            }
            return last.obstacle;
        }
    }

    private Optional<String> probe(Set<String> needed) {
        try {
            get(); // which keeps an embedded engine from starting anew each time
            try (Session fresh = Coral.open(address, Duration.ZERO)) {
                Set<String> missing = new TreeSet<>(needed);
                missing.removeAll(fresh.accelerators());
                return missing.isEmpty() ? Optional.empty() : Optional.of("no bitstream offers what the function needs: address="
                    + address + ", missing=" + missing + "; install one with ./coral bitstream install");
            }
        } catch (CoralException | FunctionException e) {
            return Optional.of("no accelerator: address=" + address + ", cause=" + e.getMessage());
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        if (session != null) {
            session.close();
            session = null;
        }
    }
}
