package com.inaccel.coral.scheduling;

import com.inaccel.coral.scheduling.Pool.Line;
import com.inaccel.coral.scheduling.Pool.Ranking;
import com.inaccel.coral.scheduling.Pool.Seat;
import com.inaccel.coral.scheduling.Pool.Turn;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Decides which request a device takes next. Pure: no threads, no clock, no devices; whoever calls it brings the time, in
 * nanoseconds, and holds a lock. The same calls give the same decisions.
 *
 * <p><b>Fairness.</b> Allocations take turns by deficit round robin. Each keeps count of the device time that it has used,
 * per share; whoever has used least is next, so that rounds in which nobody could send need not be played. A request is
 * counted with what it is expected to take, and the difference to what it really took is settled when it ends. Idling
 * saves up one quantum at most; a debt stays. Devices of one platform form a pool, and each pool has counts of its own:
 * who is alone on one platform loses nothing on another. Within an allocation the higher priority goes first, then
 * the earlier deadline, then the older request.
 *
 * <p><b>Reprogramming.</b> Requests that need the same programmed are of one kind. A device goes on with what is
 * programmed, even ahead of the turns, until the allocations that wait for another kind lag behind by a quantum. The
 * quantum is such that a round, in which all who wait advance by it, takes {@value #AMORTIZATION} times the programming
 * of each kind once: where all kinds wait all the time, reprogramming takes about a twentieth of it (up to a tenth where
 * one allocation alone waits for several kinds, as each counts its use of all). It is cut where
 * the devices of the pool together would need longer than {@code starvationNanos} for the round. Where another device
 * has the kind already, this one helps when the lag is worth as many times the programming to each of them; a kind that
 * no device has comes first, though, unless it lags less by as much. While devices are being programmed for a kind,
 * further ones follow only if what waits would keep each of those busy for longer than that takes, or has waited for
 * {@code starvationNanos}: they do not all turn at once. When a device leaves
 * work behind to be programmed with another kind, all who wait for that kind pay for it together, by share: who needs
 * many kinds pays for many, and a popular one is cheap. To program an idle device costs nobody anything.
 *
 * <p><b>Idle devices.</b> Where nothing that waits is programmed, a device takes another kind at once if no other device
 * has it; else when the request has waited as long as programming would take (the ski rental rule: at most twice the
 * cost of the best choice in hindsight). Clients in a loop need a moment to send the next request, so the device lingers for
 * a {@value #LINGER}th of the programming first, or longer where requests of its kind have come so often that another one is
 * likely to come before programming would have ended; and while it still runs something, a lane that finds nothing else for
 * what is programmed takes another kind only when that has waited {@value #AMORTIZATION} times as long as programming takes.
 *
 * <p><b>Data.</b> Among what is programmed, a request whose data another ready device holds is passed over for as long as
 * copying them would take.
 *
 * <p><b>Bound.</b> Let n of the pool's m devices be healthy, let N lines wait there (one for each allocation and kind) with W
 * shares in all, let no request take longer than L, copying included, and no programming longer than P. A request that
 * is first in its line, and whose allocation has used d per share more than who has used least, is taken within
 * {@code starvation * m / n + (d * W + 2 * N * (L + P)) / n + L + 2 * P}, whatever the others send.
 *
 * <p><b>Cost.</b> A decision looks at one request of each kind, not of each allocation, and at no other device but those
 * that hold the request's data.
 *
 * @param <R> what is scheduled
 */
public final class SchedulingPolicy<R> {
    /** Time to program a device that cannot or must not run the request; also to wait when nothing happens by itself. */
    public static final long NEVER = Long.MAX_VALUE;

    static final int AMORTIZATION = 20;
    static final int LINGER = 20;
    /** Requests of one kind that are looked at for data on the device. */
    private static final int WINDOW = 16;

    private final CostModel<R> costs;
    private final long starvationNanos;
    private final int[] poolOf;
    private final List<Pool<R>> pools = new ArrayList<>();
    private final Map<String, Turn<R>> turns = new LinkedHashMap<>();
    /** By device: requests taken and not settled, when it last took one, and since when it finds nothing for what is programmed. */
    private final int[] running;
    private final long[] takenNanos;
    private final long[] dryNanos;
    private long sequence;
    private int size;

    /** @param poolOf by device: the number of its pool, from 0; devices of one platform have the same */
    public SchedulingPolicy(int[] poolOf, CostModel<R> costs, long starvationNanos) {
        this.poolOf = poolOf.clone();
        this.costs = costs;
        this.starvationNanos = starvationNanos;
        int count = Arrays.stream(poolOf).max().orElse(-1) + 1;
        for (int pool = 0; pool < count; pool++) {
            int index = pool;
            pools.add(new Pool<>(pool, (int) Arrays.stream(poolOf).filter(other -> other == index).count()));
        }
        running = new int[poolOf.length];
        takenNanos = new long[poolOf.length];
        dryNanos = new long[poolOf.length];
        Arrays.fill(takenNanos, NEVER);
        Arrays.fill(dryNanos, NEVER);
    }

    /** What a request needs programmed. Compared by value; requests of one kind cost the same to program anywhere. */
    public interface Kind {
        /** 0 where it is programmed; {@link #NEVER} where it cannot or must not run. */
        long programmingNanos(int device);
    }

    public interface CostModel<R> {
        Kind kind(R request);

        /** To copy what is not resident there; {@link #NEVER} when it is better left to another device just now. */
        long copyNanos(R request, int device);

        /** Devices where copying may take less than elsewhere, as some of its data are resident. Not changed by the caller. */
        BitSet holders(R request);
    }

    /** One waiting request. */
    public static final class Entry<R> {
        static final Comparator<Entry<?>> ORDER = Comparator.<Entry<?>>comparingInt(entry -> entry.priority).reversed()
            .thenComparingLong(entry -> entry.deadlineNanos).thenComparingLong(entry -> entry.sequence);

        final Line<R> line;
        private final R request;
        private final int priority;
        private final long deadlineNanos;
        private final long sequence;
        private final long enqueuedNanos;
        private final long costNanos;
        /** Once taken: where, and what for. */
        private Ranking<R> ranking;
        private int device;
        private long expectedNanos;

        private Entry(
                Line<R> line, R request, int priority, long deadlineNanos, long sequence, long enqueuedNanos,
                long costNanos) {
            this.line = line;
            this.request = request;
            this.priority = priority;
            this.deadlineNanos = deadlineNanos;
            this.sequence = sequence;
            this.enqueuedNanos = enqueuedNanos;
            this.costNanos = costNanos;
        }

        public R request() {
            return request;
        }
    }

    /**
     * What a device does next.
     *
     * @param entry to run, taken out of the queue; empty to wait
     * @param waitNanos until asking again may give another answer; {@link #NEVER} when nothing will change by itself
     */
    public record Decision<R>(Optional<Entry<R>> entry, long waitNanos) { }

    /**
     * @param deadlineNanos at which it should have ended; {@link #NEVER} without
     * @param costNanos of device time, as far as one can tell
     */
    public Entry<R> add(
            String allocation, int share, R request, int priority, long deadlineNanos, long costNanos, long nowNanos) {
        Turn<R> turn = turns.computeIfAbsent(allocation, name -> new Turn<>(name, share, pools));
        turn.forgotten = false;
        Line<R> line = turn.line(costs.kind(request));
        Entry<R> entry = new Entry<>(line, request, priority, deadlineNanos, sequence++, nowNanos, costNanos);
        boolean first = line.waiting.isEmpty();
        line.waiting.add(entry);
        turn.waiting++;
        size++;
        for (Pool<R> pool : pools) {
            if (first) {
                pool.join(line, starvationNanos, sequence++);
            }
            pool.ranking(line.kind).arrived(costNanos, nowNanos);
        }
        return entry;
    }

    /** @return whether it was waiting still */
    public boolean remove(Entry<R> entry) {
        if (!entry.line.waiting.contains(entry)) {
            return false;
        }
        unqueue(entry);
        retire(entry.line.turn);
        return true;
    }

    public int size() {
        return size;
    }

    /** How many of one allocation wait. */
    public int waiting(String allocation) {
        Turn<R> turn = turns.get(allocation);
        return turn == null ? 0 : turn.waiting;
    }

    /** All that wait, in no particular order. */
    public List<Entry<R>> waiting() {
        List<Entry<R>> all = new ArrayList<>(size);
        turns.values().forEach(turn -> turn.lines.values().forEach(line -> all.addAll(line.waiting)));
        return all;
    }

    /** Takes the next request for a device. Each that is taken is settled later. */
    public Decision<R> select(int device, long nowNanos) {
        Pool<R> pool = pools.get(poolOf[device]);
        Seat<R> here = pool.look(device);
        if (here == null && running[device] == 0 && dryNanos[device] == NEVER) {
            dryNanos[device] = nowNanos;
        }
        Choice<R> choice = new Choice<>();
        for (Ranking<R> ranking : pool.rankings()) {
            if (!ranking.seats.isEmpty()) {
                long programming = ranking.kind.programmingNanos(device);
                if (programming != 0 && programming != NEVER) {
                    considerChange(choice, pool, ranking, here, programming, device, nowNanos);
                }
            }
        }
        if (choice.entry == null && here != null) {
            choose(choice, pool, device, nowNanos);
        }
        if (choice.entry == null) {
            return new Decision<>(Optional.empty(), choice.waitNanos);
        }
        boolean leavesWork = choice.programmingNanos > 0 && here != null;
        take(choice.entry, pool, device, leavesWork, nowNanos);
        return new Decision<>(Optional.of(choice.entry), 0);
    }

    /**
     * The request has ended.
     *
     * @param actualNanos of device time that it took, without programming: that is paid by all who wait for it when it begins
     */
    public void settle(Entry<R> entry, long actualNanos) {
        Line<R> line = entry.line;
        Pool<R> pool = entry.ranking.pool;
        line.turn.charge(pool, actualNanos - entry.expectedNanos);
        line.turn.running--;
        entry.ranking.running--;
        running[entry.device]--;
        Line<R> current = line.turn.lines.get(line.kind);
        if (current != null && !current.waiting.isEmpty()) {
            pool.reseat(current, current.seats.get(pool.index).stamp);
        }
        retire(line.turn);
    }

    /** The allocation has gone, and its debt with it, as soon as it neither waits nor runs. */
    public void forget(String allocation) {
        Turn<R> turn = turns.get(allocation);
        if (turn != null) {
            turn.forgotten = true;
            retire(turn);
        }
    }

    /** Which of these devices is to be asked first to select for a request that was just added; -1 where none can run it. */
    public int nearest(Entry<R> entry, BitSet devices) {
        Kind kind = entry.line.kind;
        BitSet holders = costs.holders(entry.request);
        int best = -1;
        long least = NEVER;
        for (int device = holders.nextSetBit(0); device >= 0 && least > 0; device = holders.nextSetBit(device + 1)) {
            if (devices.get(device) && kind.programmingNanos(device) == 0) {
                long copy = costs.copyNanos(entry.request, device);
                if (copy < least) {
                    best = device;
                    least = copy;
                }
            }
        }
        for (int i = 0; i < pools.size() && best < 0; i++) {
            best = pools.get(i).ranking(kind).programmedAmong(devices);
        }
        return best >= 0 ? best : cheapestToProgram(kind, devices);
    }

    /** Of those that cost about the same, the one that has gone longest without work: others may need its bitstream more. */
    private int cheapestToProgram(Kind kind, BitSet devices) {
        int best = -1;
        long least = NEVER;
        for (int device = devices.nextSetBit(0); device >= 0; device = devices.nextSetBit(device + 1)) {
            long programming = kind.programmingNanos(device);
            if (programming == NEVER) {
                continue;
            }
            boolean cheaper = best < 0 || programming < least / 2;
            if (cheaper || (programming / 2 <= least && isIdleForLonger(device, best))) {
                best = device;
                least = programming;
            }
        }
        return best;
    }

    private boolean isIdleForLonger(int device, int other) {
        return takenNanos[other] != NEVER && (takenNanos[device] == NEVER || takenNanos[device] < takenNanos[other]);
    }

    /** The best found so far, and when to look again if nothing is found. */
    private static final class Choice<R> {
        private Entry<R> entry;
        private Seat<R> seat;
        private long handicap;
        private long programmingNanos;
        private long waitNanos = NEVER;

        private void offer(Entry<R> candidate, Seat<R> at, long programming) {
            offer(candidate, at, programming, 0);
        }

        /** @param behind how much less than others, per share, it must have used to come before them */
        private void offer(Entry<R> candidate, Seat<R> at, long programming, long behind) {
            long ahead = seat == null ? -1 : at.key + behind - seat.key - handicap;
            if (ahead < 0 || (ahead == 0 && at.stamp < seat.stamp)) {
                entry = candidate;
                seat = at;
                handicap = behind;
                programmingNanos = programming;
            }
        }

        private void waitAtMost(long nanos) {
            waitNanos = Math.min(waitNanos, nanos);
        }
    }

    /**
     * Whether to program the device with another kind.
     *
     * @param here who is next with what is programmed; null for nobody
     */
    private void considerChange(
            Choice<R> choice, Pool<R> pool, Ranking<R> ranking, Seat<R> here, long programming, int device, long now) {
        if (here == null) {
            considerChangeOfIdle(choice, pool, ranking, programming, device, now);
        } else if (ranking.seats.first().key < here.key) {
            long slack = slack(pool, ranking, programming, device);
            Seat<R> first = ranking.first(slack);
            Entry<R> head = first.line.waiting.first();
            if (here.key - first.key >= slack && now - head.enqueuedNanos >= Math.min(programming, starvationNanos)
                    && mayHaveAnother(ranking, head, programming, now) && costs.copyNanos(head.request, device) != NEVER) {
                // Where another device serves it already, those whom none serves come first unless they lag less by as much.
                choice.offer(head, first, programming, ranking.isProgrammedElsewhere(device) ? slack : 0);
            }
        }
    }

    /** Beside the devices that are being programmed for the kind: its work is worth it, or has waited for as long as it may. */
    private boolean mayHaveAnother(Ranking<R> ranking, Entry<R> head, long programming, long now) {
        return now - head.enqueuedNanos >= starvationNanos || ranking.isWorthAnother(programming, now);
    }

    private void considerChangeOfIdle(
            Choice<R> choice, Pool<R> pool, Ranking<R> ranking, long programming, int device, long now) {
        Seat<R> first = ranking.first(0);
        Entry<R> head = first.line.waiting.first();
        long copy = costs.copyNanos(head.request, device);
        if (copy == NEVER) {
            return;
        }
        long waited = now - head.enqueuedNanos;
        long left = 0;
        if (running[device] > 0) {
            left = Math.min(AMORTIZATION * programming, starvationNanos) - waited;
        } else if (takenNanos[device] != NEVER) {
            left = dryNanos[device] + pool.lingerNanos(device, programming) - now;
        }
        if (ranking.isProgrammedElsewhere(device)) {
            left = Math.max(left, Math.min(programming + copy, starvationNanos) - waited);
        }
        if (left <= 0 && !mayHaveAnother(ranking, head, programming, now)) {
            left = Math.min(programming, starvationNanos - waited);
        }
        if (left <= 0) {
            choice.offer(head, first, programming);
        } else {
            choice.waitAtMost(left);
        }
    }

    /** How far, per share, a kind may fall behind what is programmed. */
    private long slack(Pool<R> pool, Ranking<R> ranking, long programming, int device) {
        long quantum = pool.quantumNanos(starvationNanos);
        return ranking.isProgrammedElsewhere(device)
            ? Math.min(quantum, AMORTIZATION * programming * (ranking.homes.cardinality() + 1) / ranking.shares) : quantum;
    }

    /** Among what is programmed. */
    private void choose(Choice<R> choice, Pool<R> pool, int device, long now) {
        for (Ranking<R> ranking : pool.rankings()) {
            if (!ranking.seats.isEmpty() && ranking.homes.get(device)) {
                chooseOfKind(choice, ranking, device, now);
            }
        }
        if (choice.entry == null) {
            return;
        }
        for (Line<R> line : choice.entry.line.turn.lines.values()) {
            if (!line.waiting.isEmpty() && line.kind.programmingNanos(device) == 0) {
                Entry<R> head = line.waiting.first();
                if (Entry.ORDER.compare(head, choice.entry) < 0 && dataWaitNanos(head, device, now) <= 0) {
                    choice.entry = head;
                }
            }
        }
    }

    private void chooseOfKind(Choice<R> choice, Ranking<R> ranking, int device, long now) {
        int looked = 0;
        for (Seat<R> seat : ranking.seats) {
            for (Entry<R> entry : seat.line.waiting) {
                long left = dataWaitNanos(entry, device, now);
                if (left <= 0) {
                    choice.offer(entry, seat, 0);
                    return;
                }
                choice.waitAtMost(left);
                looked++;
                if (looked == WINDOW) {
                    return;
                }
            }
        }
    }

    /** How much longer it is better to wait for a device that holds its data. */
    private long dataWaitNanos(Entry<R> entry, int device, long now) {
        long copy = costs.copyNanos(entry.request, device);
        if (copy == NEVER) {
            return NEVER;
        }
        long left = Math.min(copy, starvationNanos) - (now - entry.enqueuedNanos);
        return copy == 0 || left <= 0 || !isNearerElsewhere(entry, device, copy) ? 0 : left;
    }

    private boolean isNearerElsewhere(Entry<R> entry, int device, long copy) {
        BitSet holders = costs.holders(entry.request);
        for (int other = holders.nextSetBit(0); other >= 0; other = holders.nextSetBit(other + 1)) {
            if (other != device && entry.line.kind.programmingNanos(other) == 0
                    && costs.copyNanos(entry.request, other) < copy) {
                return true;
            }
        }
        return false;
    }

    private void take(Entry<R> entry, Pool<R> pool, int device, boolean leavesWork, long now) {
        Turn<R> turn = entry.line.turn;
        entry.ranking = pool.ranking(entry.line.kind);
        long programming = entry.line.kind.programmingNanos(device);
        long run = entry.costNanos + costs.copyNanos(entry.request, device);
        entry.expectedNanos = run;
        pool.served(turn);
        if (leavesWork) {
            entry.ranking.chargeAll(programming);
        }
        turn.charge(pool, run);
        turn.running++;
        entry.device = device;
        running[device]++;
        entry.ranking.running++;
        if (programming > 0) {
            entry.ranking.programs(device, now + programming);
        }
        entry.ranking.homes.set(device);
        takenNanos[device] = now;
        dryNanos[device] = NEVER;
        unqueue(entry);
        if (!entry.line.waiting.isEmpty()) {
            pool.reseat(entry.line, sequence++);
        }
    }

    private void unqueue(Entry<R> entry) {
        Line<R> line = entry.line;
        line.waiting.remove(entry);
        pools.forEach(pool -> pool.ranking(line.kind).left(entry.costNanos));
        line.turn.waiting--;
        size--;
        if (line.waiting.isEmpty()) {
            pools.forEach(pool -> pool.leave(line));
            line.turn.lines.remove(line.kind);
        }
    }

    private void retire(Turn<R> turn) {
        if (turn.forgotten && turn.waiting == 0 && turn.running == 0) {
            turns.remove(turn.name, turn);
        }
    }
}
