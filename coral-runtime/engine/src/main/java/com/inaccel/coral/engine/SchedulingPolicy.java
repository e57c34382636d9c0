package com.inaccel.coral.engine;

import static java.util.Comparator.comparing;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * Decides which request a device takes next. Pure: no threads, no clock, no devices; whoever calls it brings the time, in
 * nanoseconds, and holds a lock.
 *
 * <p><b>Fairness.</b> Allocations take turns by deficit round robin: in each round an allocation's credit grows by its
 * share, a request costs the device time that it is expected to take, and the difference to what it really took is
 * settled when it ends. Credit may become negative, so that a request longer than a round needs no special case; it is
 * capped at one round, so that idling saves nothing up, and a debt outlives an empty queue, so that it sheds nothing
 * either. Within one allocation the higher priority goes first, then the older request.
 *
 * <p><b>Affinity.</b> To run on a device a request may have to pay for programming it and for copying inputs: its
 * penalty there. Waiting for a better moment is worth it only as long as it costs no more than the penalty, and as
 * nobody knows how long the wait will be, it waits exactly that long (the ski rental rule: at most twice the cost of the
 * best choice in hindsight). So a request is <i>ripe</i> for a device once it waited as long as its penalty there, at
 * once where the penalty is zero. A device takes ripe requests; when there are none, one for which no other device would
 * be cheaper; else it stays idle until the next one ripens. <b>Bound:</b> affinity never passes a request over for
 * longer than {@code min(penalty, starvationNanos)}; from then on only the order of turns counts.
 *
 * <p>Only the first requests of each allocation are looked at, which bounds the work of one decision.
 *
 * @param <R> what is scheduled
 */
final class SchedulingPolicy<R> {
    /** Penalty where a device cannot run the request at all. */
    static final long NEVER = Long.MAX_VALUE;

    /** Credit of one share in one round. */
    private static final long QUANTUM_NANOS = 1_000_000;
    private static final int WINDOW = 32;

    private final int devices;
    private final CostModel<R> costs;
    private final long starvationNanos;
    private final Map<String, Turn> turns = new HashMap<>();
    private final List<Turn> ring = new ArrayList<>();
    private int cursor;
    private long sequence;
    private int size;

    SchedulingPolicy(int devices, CostModel<R> costs, long starvationNanos) {
        this.devices = devices;
        this.costs = costs;
        this.starvationNanos = starvationNanos;
    }

    interface CostModel<R> {
        /** Nanoseconds to get the device ready for the request; {@link #NEVER} when it cannot or must not run there. */
        long penaltyNanos(R request, int device);
    }

    /** One waiting request. */
    static final class Entry<R> {
        private final R request;
        private final SchedulingPolicy<R>.Turn turn;
        private final int priority;
        private final long sequence;
        private final long enqueuedNanos;
        private final long costNanos;

        private Entry(
                R request, SchedulingPolicy<R>.Turn turn, int priority, long sequence, long enqueuedNanos, long costNanos) {
            this.request = request;
            this.turn = turn;
            this.priority = priority;
            this.sequence = sequence;
            this.enqueuedNanos = enqueuedNanos;
            this.costNanos = costNanos;
        }

        R request() {
            return request;
        }
    }

    /** One allocation's place in the round. */
    private final class Turn {
        private final String allocation;
        private final long quantumNanos;
        private final TreeSet<Entry<R>> waiting = new TreeSet<>(comparing((Entry<R> entry) -> entry.priority,
            Comparator.reverseOrder()).thenComparing(entry -> entry.sequence));
        private long creditNanos;
        private int running;

        private Turn(String allocation, int share) {
            this.allocation = allocation;
            this.quantumNanos = share * QUANTUM_NANOS;
        }

        /** Rounds until it may send. */
        private long roundsUntilCredit() {
            return creditNanos > 0 ? 0 : -creditNanos / quantumNanos + 1;
        }

        private void advance(long rounds) {
            long cap = waiting.isEmpty() ? 0 : quantumNanos;
            creditNanos = Math.min(cap, creditNanos + rounds * quantumNanos);
        }
    }

    /**
     * What a device does next.
     *
     * @param entry to run, taken out of the queue; empty to wait
     * @param waitNanos until a waiting request ripens; {@link #NEVER} when nothing will by itself
     */
    record Decision<R>(Optional<Entry<R>> entry, long waitNanos) { }

    /** @param costNanos of device time, as far as one can tell */
    Entry<R> add(String allocation, int share, R request, int priority, long costNanos, long nowNanos) {
        Turn turn = turns.computeIfAbsent(allocation, name -> {
            Turn created = new Turn(name, share);
            ring.add(created);
            return created;
        });
        Entry<R> entry = new Entry<>(request, turn, priority, sequence++, nowNanos, costNanos);
        turn.waiting.add(entry);
        size++;
        return entry;
    }

    /** @return whether it was waiting still */
    boolean remove(Entry<R> entry) {
        if (!entry.turn.waiting.remove(entry)) {
            return false;
        }
        size--;
        retire(entry.turn);
        return true;
    }

    int size() {
        return size;
    }

    /** How many of one allocation wait. */
    int waiting(String allocation) {
        Turn turn = turns.get(allocation);
        return turn == null ? 0 : turn.waiting.size();
    }

    /** All that wait, in no particular order. */
    List<Entry<R>> waiting() {
        return ring.stream().flatMap(turn -> turn.waiting.stream()).toList();
    }

    /** Takes the next request for a device. Each that is taken is settled later. */
    Decision<R> select(int device, long nowNanos) {
        Map<Turn, Entry<R>> ripe = new HashMap<>();
        Map<Turn, Entry<R>> nowhereBetter = new HashMap<>();
        long ripensIn = NEVER;
        for (Turn turn : ring) {
            int looked = 0;
            for (Iterator<Entry<R>> i = turn.waiting.iterator(); i.hasNext() && looked < WINDOW; looked++) {
                Entry<R> entry = i.next();
                long penalty = costs.penaltyNanos(entry.request, device);
                if (penalty == NEVER) {
                    continue;
                }
                long left = Math.min(penalty, starvationNanos) - (nowNanos - entry.enqueuedNanos);
                if (penalty == 0 || left <= 0) {
                    ripe.put(turn, entry);
                    break;
                }
                ripensIn = Math.min(ripensIn, left);
                if (ripe.isEmpty() && !nowhereBetter.containsKey(turn) && isCheapest(entry.request, device, penalty)) {
                    nowhereBetter.put(turn, entry);
                }
            }
        }
        Map<Turn, Entry<R>> candidates = ripe.isEmpty() ? nowhereBetter : ripe;
        if (candidates.isEmpty()) {
            return new Decision<>(Optional.empty(), ripensIn);
        }
        return new Decision<>(Optional.of(take(candidates)), 0);
    }

    /** The request has ended, after this much device time. */
    void settle(Entry<R> entry, long actualNanos) {
        entry.turn.creditNanos += entry.costNanos - actualNanos;
        entry.turn.running--;
        retire(entry.turn);
    }

    private boolean isCheapest(R request, int device, long penalty) {
        for (int other = 0; other < devices; other++) {
            if (other != device && costs.penaltyNanos(request, other) < penalty) {
                return false;
            }
        }
        return true;
    }

    /** The round robin, without playing the rounds in which nobody could send. */
    private Entry<R> take(Map<Turn, Entry<R>> candidates) {
        Turn next = null;
        long rounds = NEVER;
        for (int i = 0; i < ring.size(); i++) {
            Turn turn = ring.get((cursor + i) % ring.size());
            if (candidates.containsKey(turn) && turn.roundsUntilCredit() < rounds) {
                next = turn;
                rounds = turn.roundsUntilCredit();
            }
        }
        if (rounds > 0) {
            long played = rounds;
            ring.forEach(turn -> turn.advance(played));
        }
        Entry<R> entry = candidates.get(next);
        next.waiting.remove(entry);
        size--;
        next.running++;
        next.creditNanos -= entry.costNanos;
        // Its turn lasts as long as its credit.
        cursor = ring.indexOf(next) + (next.creditNanos > 0 ? 0 : 1);
        if (rounds > 0) {
            List.copyOf(ring).forEach(this::retire);
        }
        return entry;
    }

    /** The allocation has gone, and its debt with it. Ignored while it waits or runs. */
    void forget(String allocation) {
        Turn turn = turns.get(allocation);
        if (turn != null && turn.waiting.isEmpty() && turn.running == 0) {
            drop(turn);
        }
    }

    /** Forgets an allocation that neither waits, nor runs, nor owes. */
    private void retire(Turn turn) {
        if (turn.waiting.isEmpty() && turn.running == 0 && turn.creditNanos >= 0) {
            drop(turn);
        }
    }

    private void drop(Turn turn) {
        if (turns.remove(turn.allocation, turn)) {
            int index = ring.indexOf(turn);
            ring.remove(index);
            if (index < cursor) {
                cursor--;
            }
        }
    }
}
