package com.inaccel.coral.manager.kubernetes;

import static java.util.stream.Collectors.joining;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.manager.Manager;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import java.util.function.LongUnaryOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The allocations of pods. The kubelet tells nothing but the ids that a container gets, and nobody but that container has
 * them: so an allocation is named after its ids, and its name, directory and socket are found again whoever restarts.
 *
 * <p>The kubelet does not tell when a pod has gone either. It is asked who has what, and what nobody has had for a while is
 * taken back. The while is for pods that it has asked for devices and does not list yet. Thread-safe.
 */
final class PodAllocations {
    private static final String PREFIX = "pod-";
    /** The containers of one pod ask one after the other; who asks later than this is another pod. */
    private static final Duration ADMISSION = Duration.ofSeconds(2);
    private static final Logger LOG = LoggerFactory.getLogger(PodAllocations.class);

    private final Manager manager;
    private final LongUnaryOperator quotaBytes;
    private final long graceNanos;
    private final long admissionNanos;
    private final LongSupplier nanoTime;
    /** By name; guarded by this, like the next. */
    private final Map<String, Held> held = new HashMap<>();
    private boolean rebuilt;

    /** When its ids were last asked for, or seen with a container. Of those of an earlier manager ids are not known at first. */
    private static final class Held {
        private Set<String> ids;
        private long askedNanos;
        private long neededNanos;

        private Held(Set<String> ids, long nowNanos) {
            this.ids = ids;
            this.askedNanos = nowNanos;
            this.neededNanos = nowNanos;
        }
    }

    /** @param quotaBytes of an allocation with so many ids */
    PodAllocations(Manager manager, LongUnaryOperator quotaBytes, Duration grace, LongSupplier nanoTime) {
        this.manager = manager;
        this.quotaBytes = quotaBytes;
        this.graceNanos = grace.toNanos();
        this.admissionNanos = Math.min(ADMISSION.toNanos(), graceNanos);
        this.nanoTime = nanoTime;
        for (Allocation before : manager.allocations()) {
            if (before.name().startsWith(PREFIX)) {
                held.put(before.name(), new Held(Set.of(), nanoTime.getAsLong()));
            }
        }
    }

    /**
     * Serves the allocation of whoever has these ids; repeating it changes nothing.
     *
     * @return its socket on this machine, in a directory of its own
     */
    synchronized Path allocate(Set<String> ids) {
        long now = nanoTime.getAsLong();
        String name = name(ids);
        Held known = held.get(name);
        releaseEarlierHoldersOf(ids, name, now);
        if (known != null) {
            known.ids = ids;
            known.askedNanos = now;
            known.neededNanos = now;
            manager.renew(name); // it may be another pod that asks
        }
        Path socket = serve(name, ids.size());
        held.putIfAbsent(name, new Held(ids, now));
        return socket;
    }

    /** As it was granted, where it was: quotas of other times stay. */
    private Path serve(String name, int ids) {
        Allocation allocation = manager.allocations().stream().filter(one -> one.name().equals(name)).findFirst()
            .orElseGet(() -> new Allocation(name, quotaBytes.applyAsLong(ids), ids));
        return Path.of(manager.allocate(allocation).substring("unix:".length()));
    }

    /**
     * An id is offered again when its pod has ended, and while one pod is admitted: to its init containers, then to the
     * others. So whoever asked for it a while ago has ended, though the kubelet may list him still.
     */
    private void releaseEarlierHoldersOf(Set<String> ids, String except, long now) {
        for (Map.Entry<String, Held> other : List.copyOf(held.entrySet())) {
            if (!other.getKey().equals(except) && now - other.getValue().askedNanos > admissionNanos
                    && !Collections.disjoint(ids, other.getValue().ids)) {
                release(other.getKey());
            }
        }
    }

    /** @param containers the ids of each container that the kubelet lists, of one resource */
    synchronized void reconcile(Collection<Set<String>> containers) {
        long now = nanoTime.getAsLong();
        for (Set<String> ids : containers) {
            Held known = held.get(name(ids));
            if (known != null) {
                known.ids = ids;
                known.neededNanos = now;
            }
        }
        if (!rebuilt) {
            containers.forEach(ids -> rebuild(ids, now));
            rebuilt = true;
        }
        for (Map.Entry<String, Held> one : List.copyOf(held.entrySet())) {
            if (now - one.getValue().neededNanos > graceNanos) {
                LOG.info("no pod has the allocation any more: allocation={}, ids={}", one.getKey(), one.getValue().ids);
                release(one.getKey());
            }
        }
    }

    /** Later on what has been released stays so, though the kubelet may list a pod that has ended. */
    private void rebuild(Set<String> ids, long now) {
        String name = name(ids);
        if (held.containsKey(name)) {
            return;
        }
        try {
            serve(name, ids.size());
            held.put(name, new Held(ids, now));
            LOG.warn("allocation was lost and is served again, its pod may have to be restarted: allocation={}, ids={}", name,
                ids);
        } catch (CoralException e) {
            LOG.error("allocation of a pod cannot be served again: allocation={}, ids={}, cause={}", name, ids,
                e.getMessage());
        }
    }

    private void release(String name) {
        try {
            manager.release(name);
            held.remove(name);
        } catch (CoralException e) {
            LOG.error("allocation cannot be released, trying again: allocation={}, cause={}", name, e.getMessage());
        }
    }

    static String name(Set<String> ids) {
        String all = new TreeSet<>(ids).stream().collect(joining(" "));
        if (ids.size() == 1) {
            return PREFIX + all;
        }
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(all.getBytes(StandardCharsets.UTF_8));
            return PREFIX + ids.size() + "-" + HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
