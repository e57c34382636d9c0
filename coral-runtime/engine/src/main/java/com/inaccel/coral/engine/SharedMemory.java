package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineStats.AllocationStats;
import com.inaccel.coral.protocol.SealedMemory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Accounts for all shared memory, by allocation and altogether, and keeps what is freed for reuse.
 *
 * <p>Freed memory goes to the pool of its own allocation and never to another's, so that nobody reads what a stranger
 * left. Reuse is worth it because the first touch of fresh memory costs many times a rewrite. What is pooled counts
 * against quota and limit, but yields before a request for memory is refused; it is given back when nobody took it for
 * the idle time. Thread-safe; memory is unmapped outside the lock, which takes milliseconds for large segments.
 */
final class SharedMemory implements AutoCloseable {
    /** Pooled memory may be larger than what is asked for by this part of it. */
    private static final int SLACK_DIVISOR = 4;

    private final long limitBytes;
    private final int segmentLimit;
    private final int segmentLimitOfAll;
    private final int allocationLimit;
    private final Places segments;
    private final long poolLimitBytes;
    private final long idleNanos;
    private final LongSupplier clock;
    private final Map<String, Account> accounts = new HashMap<>();
    private int granted;
    private int segmentsInUse;
    private int pooledSegments;
    private long usedBytes;
    private long pooledBytes;
    private boolean closed;

    /**
     * @param segmentLimit how many one allocation may hold, in use or pooled: each takes a file descriptor and a mapping,
     *     and a process without mappings left dies
     * @param segmentLimitOfAll how many all together may hold
     * @param allocationLimit how many may be granted, beside one that is not
     */
    SharedMemory(long limitBytes, int segmentLimit, int segmentLimitOfAll, int allocationLimit, long poolLimitBytes,
            long idleNanos, LongSupplier clock) {
        this.limitBytes = limitBytes;
        this.segmentLimit = segmentLimit;
        this.segmentLimitOfAll = segmentLimitOfAll;
        this.allocationLimit = allocationLimit;
        this.segments = new Places(segmentLimitOfAll, allocationLimit + 1);
        this.poolLimitBytes = poolLimitBytes;
        this.idleNanos = idleNanos;
        this.clock = clock;
    }

    /** What one allocation holds. Guarded by the lock of its owner; exists while granted, joined or holding memory. */
    static final class Account {
        private final Allocation allocation;
        private final Deque<Pooled> pool = new ArrayDeque<>(); // oldest first
        private boolean granted;
        private int sessions;
        private int segments; // in use
        private long usedBytes;
        private long pooledBytes;

        private Account(Allocation allocation) {
            this.allocation = allocation;
        }

        Allocation allocation() {
            return allocation;
        }
    }

    /** @param chargedBytes what it takes, which is less than its size after a trim */
    private record Pooled(Account account, SealedMemory memory, long chargedBytes, long freedNanos) { }

    /**
     * Sets the allocation's quota aside for it: nobody else gets the bytes from now on, whether it uses them or not. What
     * others hold already stays theirs until they give it back.
     */
    synchronized void grant(Allocation allocation) {
        Account account = account(allocation);
        if (account.granted) {
            return;
        }
        long free = limitBytes
            - accounts.values().stream().filter(other -> other.granted).mapToLong(other -> other.allocation.quotaBytes()).sum();
        CoralException refusal = null;
        if (granted == allocationLimit) {
            refusal = new CoralException(ErrorCode.QUOTA_EXCEEDED, "too many allocations: allocation="
                + allocation.name() + ", limit=" + allocationLimit + "; release one, or raise "
                + EngineConfig.Key.ALLOCATIONS.id());
        } else if (allocation.quotaBytes() > free) {
            refusal = new CoralException(ErrorCode.QUOTA_EXCEEDED, "more is granted than there is: allocation="
                + allocation.name() + ", requestedBytes=" + allocation.quotaBytes() + ", freeBytes=" + free
                + ", limitBytes=" + limitBytes + "; grant less, release another allocation, or raise "
                + EngineConfig.Key.MEMORY_LIMIT.id());
        }
        if (refusal != null) {
            forgetIfUnused(account);
            throw refusal;
        }
        account.granted = true;
        granted++;
    }

    /** After which its name is free as soon as its last session and request have ended. */
    void revoke(Allocation allocation) {
        List<SealedMemory> victims = new ArrayList<>();
        synchronized (this) {
            Account account = accounts.get(allocation.name());
            if (account == null || !account.granted) {
                return;
            }
            account.granted = false;
            granted--;
            while (!account.pool.isEmpty()) {
                victims.add(drop(account.pool.peekFirst()));
            }
            forgetIfUnused(account);
        }
        victims.forEach(SealedMemory::close);
    }

    /** Each call is paired with one {@link #leave}. */
    synchronized Account join(Allocation allocation) {
        Account account = account(allocation);
        account.sessions++;
        return account;
    }

    private Account account(Allocation allocation) {
        Account account = accounts.computeIfAbsent(allocation.name(), name -> new Account(allocation));
        if (!account.allocation.equals(allocation)) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "allocation differs from the one in use: new=" + allocation + ", inUse=" + account.allocation
                    + "; close its sessions first, or give it another name");
        }
        return account;
    }

    /** @return whether it was the allocation's last session */
    synchronized boolean leave(Account account) {
        account.sessions--;
        forgetIfUnused(account);
        return account.sessions == 0;
    }

    /** Mints at least {@code bytes}; the caller gives it back with {@link #release}. */
    SealedMemory acquire(Account account, long bytes) {
        long size = roundUpToPages(bytes);
        List<SealedMemory> victims = new ArrayList<>();
        SealedMemory reused = null;
        try {
            synchronized (this) {
                requireRoom(account, size);
                takePlace(account);
                reused = takePooled(account, size);
                if (reused == null) {
                    makeRoom(account, size, victims);
                    charge(account, size);
                }
            }
        } finally {
            victims.forEach(SealedMemory::close);
        }
        if (reused != null) {
            return reused;
        }
        try {
            return SealedMemory.create("coral-segment", size);
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                charge(account, -size);
                giveBackPlace(account);
            }
            throw e;
        }
    }

    /**
     * Charges for memory that was not minted here, like {@link #acquire}; the caller gives it back with {@link #detach},
     * and keeps the memory until then.
     */
    void attach(Account account, long bytes) {
        List<SealedMemory> victims = new ArrayList<>();
        synchronized (this) {
            requireRoom(account, bytes);
            takePlace(account);
            makeRoom(account, bytes, victims);
            charge(account, bytes);
        }
        victims.forEach(SealedMemory::close);
    }

    /** Never to the pool: who attached it may have attached it twice, and two sessions would be given the same memory. */
    void detach(Account account, SealedMemory memory, long chargedBytes) {
        synchronized (this) {
            charge(account, -chargedBytes);
            giveBackPlace(account);
            forgetIfUnused(account);
        }
        memory.close();
    }

    /** What a seal gave back is no longer charged. */
    synchronized void trimmed(Account account, long bytes) {
        charge(account, -bytes);
    }

    void release(Account account, SealedMemory memory, long chargedBytes) {
        List<SealedMemory> victims = new ArrayList<>();
        synchronized (this) {
            charge(account, -chargedBytes);
            giveBackPlace(account);
            // Memory trimmed to little is worth little: most of it would have to be touched for the first time again.
            if (chargedBytes < memory.sizeBytes() / 4 || chargedBytes > poolLimitBytes || idleNanos == 0
                    || closed) {
                victims.add(memory);
            } else {
                account.pool.addLast(new Pooled(account, memory, chargedBytes, clock.getAsLong()));
                account.pooledBytes += chargedBytes;
                pooledBytes += chargedBytes;
                pooledSegments++;
                while (pooledBytes > poolLimitBytes) {
                    victims.add(dropOldest());
                }
            }
            forgetIfUnused(account);
        }
        victims.forEach(SealedMemory::close);
    }

    /** Gives back what has been idle for long enough; called now and then. */
    void expire() {
        List<SealedMemory> victims = new ArrayList<>();
        synchronized (this) {
            long now = clock.getAsLong();
            for (Account account : List.copyOf(accounts.values())) {
                while (!account.pool.isEmpty() && now - account.pool.peekFirst().freedNanos >= idleNanos) {
                    victims.add(drop(account.pool.peekFirst()));
                }
                forgetIfUnused(account);
            }
        }
        victims.forEach(SealedMemory::close);
    }

    /** By name, with nothing waiting: what waits is the dispatcher's to know. */
    synchronized List<AllocationStats> allocations() {
        return accounts.values().stream()
            .map(account -> new AllocationStats(account.allocation, account.sessions, /* waiting= */ 0, account.segments,
                account.usedBytes, account.pooledBytes))
            .sorted(Comparator.comparing(stats -> stats.allocation().name()))
            .toList();
    }

    synchronized long usedBytes() {
        return usedBytes;
    }

    synchronized long pooledBytes() {
        return pooledBytes;
    }

    long limitBytes() {
        return limitBytes;
    }

    int allocationLimit() {
        return allocationLimit;
    }

    /** Gives back all that is pooled. Memory in use stays its user's, who releases it still. */
    @Override
    public void close() {
        List<SealedMemory> victims = new ArrayList<>();
        synchronized (this) {
            closed = true;
            while (pooledSegments > 0) {
                victims.add(dropOldest());
            }
        }
        victims.forEach(SealedMemory::close);
    }

    static long roundUpToPages(long bytes) {
        return Math.addExact(bytes, SealedMemory.PAGE_BYTES - 1) & -SealedMemory.PAGE_BYTES;
    }

    private void requireRoom(Account account, long size) {
        if (account.segments >= segmentLimit) {
            throw new CoralException(ErrorCode.QUOTA_EXCEEDED,
                "allocation holds too many segments: allocation=" + account.allocation.name() + ", segments="
                    + account.segments + ", limit=" + segmentLimit + "; use fewer and larger ones, or raise "
                    + EngineConfig.Key.MEMORY_SEGMENTS.id());
        }
        long quotaFree = account.allocation.quotaBytes() - account.usedBytes;
        if (size > quotaFree) {
            throw new CoralException(ErrorCode.QUOTA_EXCEEDED,
                "allocation's quota exceeded: allocation=" + account.allocation.name() + ", requestedBytes=" + size
                    + ", freeBytes=" + quotaFree + ", limitBytes=" + account.allocation.quotaBytes()
                    + "; close segments, or grant the allocation more");
        }
        long free = Math.max(0, limitBytes - usedBytes - setAsideForOthers(account));
        if (size > free) {
            throw new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED,
                "shared memory exhausted: requestedBytes=" + size + ", freeBytes=" + free
                    + ", limitBytes=" + limitBytes + "; close segments, or raise " + EngineConfig.Key.MEMORY_LIMIT.id());
        }
    }

    /** What has been granted to others and is not used by them: their pools yield to their own use, so they count as free. */
    private long setAsideForOthers(Account account) {
        long bytes = 0;
        for (Account other : accounts.values()) {
            if (other.granted && other != account) {
                bytes += Math.max(0, other.allocation.quotaBytes() - other.usedBytes);
            }
        }
        return bytes;
    }

    private void takePlace(Account account) {
        if (!segments.take(account.allocation.name())) {
            throw new CoralException(ErrorCode.SHARED_MEMORY_EXHAUSTED, "too many segments on this node: allocation="
                + account.allocation.name() + ", segments=" + account.segments + ", limitOfAll=" + segmentLimitOfAll
                + "; use fewer and larger ones, or wait for other sessions to end");
        }
        account.segments++;
        segmentsInUse++;
    }

    private void giveBackPlace(Account account) {
        segments.giveBack(account.allocation.name());
        account.segments--;
        segmentsInUse--;
    }

    /** The smallest that fits without much waste; charged already when returned, null if there is none. */
    private SealedMemory takePooled(Account account, long size) {
        Pooled best = null;
        for (Pooled pooled : account.pool) {
            long capacity = pooled.memory.sizeBytes();
            boolean fits = capacity >= size && capacity - size <= size / SLACK_DIVISOR;
            if (fits && (best == null || capacity < best.memory.sizeBytes())) {
                best = pooled;
            }
        }
        if (best == null) {
            return null;
        }
        // A trimmed one grows back to its full size.
        long capacity = best.memory.sizeBytes();
        long growth = capacity - best.chargedBytes;
        if (growth > account.allocation.quotaBytes() - account.usedBytes - account.pooledBytes
                || growth > limitBytes - usedBytes - pooledBytes
                || capacity > limitBytes - usedBytes - setAsideForOthers(account)) {
            return null;
        }
        drop(best);
        charge(account, capacity);
        return best.memory;
    }

    /** Pools yield: the own one to the quota, then all, oldest first, to the limit. */
    private void makeRoom(Account account, long size, List<SealedMemory> victims) {
        while (account.segments + account.pool.size() > segmentLimit) {
            victims.add(drop(account.pool.peekFirst()));
        }
        while (segmentsInUse + pooledSegments > segmentLimitOfAll) {
            victims.add(dropOldest());
        }
        while (size > account.allocation.quotaBytes() - account.usedBytes - account.pooledBytes) {
            victims.add(drop(account.pool.peekFirst()));
        }
        while (size > limitBytes - usedBytes - pooledBytes) {
            victims.add(dropOldest());
        }
    }

    private SealedMemory dropOldest() {
        Pooled oldest = null;
        for (Account account : accounts.values()) {
            Pooled first = account.pool.peekFirst();
            if (first != null && (oldest == null || first.freedNanos - oldest.freedNanos < 0)) {
                oldest = first;
            }
        }
        SealedMemory memory = drop(oldest);
        forgetIfUnused(oldest.account);
        return memory;
    }

    @SuppressWarnings("ReferenceEquality") // this very one
    private SealedMemory drop(Pooled pooled) {
        for (Iterator<Pooled> i = pooled.account.pool.iterator(); i.hasNext();) {
            if (i.next() == pooled) {
                i.remove();
                break;
            }
        }
        pooled.account.pooledBytes -= pooled.chargedBytes;
        pooledBytes -= pooled.chargedBytes;
        pooledSegments--;
        return pooled.memory;
    }

    private void charge(Account account, long bytes) {
        account.usedBytes += bytes;
        usedBytes += bytes;
    }

    private void forgetIfUnused(Account account) {
        if (account.sessions == 0 && !account.granted && account.usedBytes == 0 && account.pool.isEmpty()) {
            accounts.remove(account.allocation.name(), account);
        }
    }
}
