package com.inaccel.coral.scheduling;

import com.inaccel.coral.scheduling.SchedulingPolicy.Entry;
import com.inaccel.coral.scheduling.SchedulingPolicy.Kind;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The devices of one platform and who waits for them: what {@link SchedulingPolicy} orders.
 *
 * <p>An allocation has a {@link Turn}; its requests of one kind wait in a {@link Line}; each line has a {@link Seat} in each
 * pool's {@link Ranking} for that kind. A seat keeps the count of use that its allocation had when it was seated, so
 * that what an allocation is served of one kind makes it wait a quantum at most for another kind.
 */
final class Pool<R> {
    /** A quantum where there is nothing to amortize: what idling saves up, per share. */
    static final long LEAST_QUANTUM_NANOS = 1_000_000;

    /** Arrivals that the average between them goes back to, about. */
    private static final int GAP_MEMORY = 8;
    /** Gaps after which another arrival is likely to have come. */
    private static final int LIKELY = 4;

    final int index;
    private final int devices;
    /** In the order in which they came, so that decisions repeat. */
    private final Map<Kind, Ranking<R>> rankings = new LinkedHashMap<>();
    /** What the furthest of those served has used: newcomers start a quantum behind. */
    private long level;
    /** What programming takes here, as of late. */
    private long programmingNanos;

    Pool(int index, int devices) {
        this.index = index;
        this.devices = devices;
    }

    /** One allocation's place in the rounds. */
    static final class Turn<R> {
        final String name;
        final Map<Kind, Line<R>> lines = new LinkedHashMap<>(); // those that wait
        int waiting;
        int running;
        boolean forgotten;
        private final int share;
        private final List<Pool<R>> pools;
        /** By pool: nanoseconds of device time, per share. */
        private final long[] used;

        Turn(String name, int share, List<Pool<R>> pools) {
            this.name = name;
            this.share = share;
            this.pools = pools;
            this.used = new long[pools.size()];
        }

        Line<R> line(Kind kind) {
            return lines.computeIfAbsent(kind, key -> new Line<>(this, key, pools.size()));
        }

        void charge(Pool<R> pool, long nanos) {
            used[pool.index] += nanos / share;
        }
    }

    /** The requests of one allocation and kind that wait. */
    static final class Line<R> {
        final Turn<R> turn;
        final Kind kind;
        final TreeSet<Entry<R>> waiting = new TreeSet<>(Entry.ORDER);
        final List<Seat<R>> seats;

        private Line(Turn<R> turn, Kind kind, int pools) {
            this.turn = turn;
            this.kind = kind;
            this.seats = new ArrayList<>(pools);
            for (int i = 0; i < pools; i++) {
                seats.add(new Seat<>(this));
            }
        }
    }

    /** A line's place in the order of one pool. */
    static final class Seat<R> {
        static final Comparator<Seat<?>> ORDER =
            Comparator.<Seat<?>>comparingLong(seat -> seat.key).thenComparingLong(seat -> seat.stamp);

        final Line<R> line;
        /** Changes only while it is in no ranking, or for all of a ranking at once. */
        long key;
        /** Unique in its ranking: who came first is first among equals. */
        long stamp;

        private Seat(Line<R> line) {
            this.line = line;
        }
    }

    /**
     * A device that is being programmed.
     *
     * @param readyNanos when it will be ready, as far as one can tell
     */
    private record Becoming(int device, long readyNanos) { }

    /** The lines of one kind, whose allocation used least first. */
    static final class Ranking<R> {
        final Pool<R> pool;
        final Kind kind;
        final TreeSet<Seat<R>> seats = new TreeSet<>(Seat.ORDER);
        /** Devices that are programmed with it, as far as they were heard of. */
        final BitSet homes = new BitSet();
        /** Of those seated. */
        long shares;
        int running;
        /** What all that wait are expected to take. */
        private long waitingNanos;
        /** Between two arrivals, on an average that forgets; unknown before the second. */
        private long gapNanos = SchedulingPolicy.NEVER;
        private long arrivedNanos = SchedulingPolicy.NEVER;
        private final List<Becoming> becoming = new ArrayList<>();

        private Ranking(Pool<R> pool, Kind kind) {
            this.pool = pool;
            this.kind = kind;
        }

        void arrived(long costNanos, long now) {
            waitingNanos += costNanos;
            if (arrivedNanos != SchedulingPolicy.NEVER) {
                long gap = now - arrivedNanos;
                gapNanos = gapNanos == SchedulingPolicy.NEVER ? gap : gapNanos + (gap - gapNanos) / GAP_MEMORY;
            }
            arrivedNanos = now;
        }

        void left(long costNanos) {
            waitingNanos -= costNanos;
        }

        private long lingerNanos(long programming) {
            return gapNanos > programming / LIKELY ? 0 : LIKELY * gapNanos;
        }

        void programs(int device, long readyNanos) {
            becoming.add(new Becoming(device, readyNanos));
        }

        /** Whether what waits is worth another device, beside those that are being programmed for it just now. */
        boolean isWorthAnother(long programming, long now) {
            becoming.removeIf(one -> one.readyNanos <= now || !isProgrammed(one.device));
            return waitingNanos >= programming * becoming.size();
        }

        private boolean isActive() {
            return !seats.isEmpty() || running > 0;
        }

        /** @param slack how far, per share, a seat may stay behind what its allocation has used since it was seated */
        Seat<R> first(long slack) {
            while (true) {
                Seat<R> first = seats.first();
                long least = first.line.turn.used[pool.index] - slack;
                if (first.key >= least) {
                    return first;
                }
                seats.remove(first);
                first.key = least;
                seats.add(first);
            }
        }

        boolean isProgrammedElsewhere(int device) {
            for (int other = homes.nextSetBit(0); other >= 0; other = homes.nextSetBit(other + 1)) {
                if (other != device && isProgrammed(other)) {
                    return true;
                }
            }
            return false;
        }

        /** -1 for none. */
        int programmedAmong(BitSet devices) {
            for (int home = homes.nextSetBit(0); home >= 0; home = homes.nextSetBit(home + 1)) {
                if (devices.get(home) && isProgrammed(home)) {
                    return home;
                }
            }
            return -1;
        }

        /** A device that failed or was programmed anew has not told. */
        private boolean isProgrammed(int home) {
            boolean programmed = kind.programmingNanos(home) == 0;
            if (!programmed) {
                homes.clear(home);
            }
            return programmed;
        }

        /** To all who wait, by share. All keys grow by the same, so their order stays. */
        void chargeAll(long nanos) {
            for (Seat<R> seat : seats) {
                seat.line.turn.used[pool.index] += nanos / shares;
                seat.key += nanos / shares;
            }
        }
    }

    Collection<Ranking<R>> rankings() {
        return rankings.values();
    }

    Ranking<R> ranking(Kind kind) {
        Ranking<R> ranking = rankings.get(kind);
        if (ranking == null) {
            rankings.values().removeIf(other -> !other.isActive() && other.homes.isEmpty());
            ranking = new Ranking<>(this, kind);
            rankings.put(kind, ranking);
        }
        return ranking;
    }

    /** Notes what is programmed on the device. @return who is next with that; null for nobody */
    Seat<R> look(int device) {
        Seat<R> next = null;
        long dearest = 0;
        int kinds = 0;
        for (Ranking<R> ranking : rankings.values()) {
            long programming = ranking.kind.programmingNanos(device);
            ranking.homes.set(device, programming == 0);
            if (programming != SchedulingPolicy.NEVER && ranking.isActive()) {
                kinds++;
                dearest = Math.max(dearest, programming);
            }
            if (programming == 0 && !ranking.seats.isEmpty()) {
                Seat<R> first = ranking.first(0);
                next = next == null || Seat.ORDER.compare(first, next) < 0 ? first : next;
            }
        }
        if (kinds > 1 || dearest > 0) {
            programmingNanos = dearest;
        }
        return next;
    }

    /** How long a device that has run dry waits for more of what it is programmed with, rather than be programmed anew. */
    long lingerNanos(int device, long programming) {
        long linger = programming / SchedulingPolicy.LINGER;
        for (Ranking<R> ranking : rankings.values()) {
            if (ranking.homes.get(device)) {
                linger = Math.max(linger, ranking.lingerNanos(programming));
            }
        }
        return linger;
    }

    /** How far all who wait advance in one round, per share. */
    long quantumNanos(long starvationNanos) {
        long kinds = 0;
        long shares = 0;
        for (Ranking<R> ranking : rankings.values()) {
            kinds += ranking.isActive() ? 1 : 0;
            shares += ranking.shares;
        }
        if (kinds < 2 || shares == 0) {
            return LEAST_QUANTUM_NANOS;
        }
        long round = Math.min(SchedulingPolicy.AMORTIZATION * kinds * programmingNanos, starvationNanos * devices);
        return Math.max(LEAST_QUANTUM_NANOS, round / shares);
    }

    /** The line has begun to wait. */
    void join(Line<R> line, long starvationNanos, long stamp) {
        ranking(line.kind).shares += line.turn.share;
        line.turn.used[index] = Math.max(line.turn.used[index], level - quantumNanos(starvationNanos));
        reseat(line, stamp);
    }

    /** By what its allocation has used by now. Stamps are unique. */
    void reseat(Line<R> line, long stamp) {
        Ranking<R> ranking = ranking(line.kind);
        Seat<R> seat = line.seats.get(index);
        ranking.seats.remove(seat);
        seat.key = line.turn.used[index];
        seat.stamp = stamp;
        ranking.seats.add(seat);
    }

    /** Nobody waits in the line any more. */
    void leave(Line<R> line) {
        Ranking<R> ranking = ranking(line.kind);
        if (ranking.seats.remove(line.seats.get(index))) {
            ranking.shares -= line.turn.share;
        }
    }

    void served(Turn<R> turn) {
        level = Math.max(level, turn.used[index]);
    }
}
