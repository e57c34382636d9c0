package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Device.Lane;
import com.inaccel.coral.engine.Device.Placement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What is placed on one device: slices of segments, kept between requests, least recently used first to go.
 *
 * <p>A device with memory of its own keeps copies of sealed segments' slices, by bytes. One that shares the host's memory
 * keeps handles, which take no memory, and of any segment. Each entry holds a reference to its segment. Entries in use
 * are pinned. An entry that is forgotten while pinned goes when it is unpinned. A slice that several lanes want is placed by
 * the first; the others wait for that.
 *
 * <p>A lane gets all that its request needs at once, or waits holding nothing until others have let go: so lanes never wait
 * for each other in a circle. They get it in the order in which they came, so that a large request comes through.
 * Thread-safe.
 */
final class DeviceMemory {
    /** Handles cost the driver memory too, so there is a bound on them. */
    private static final int MAX_ENTRIES = 4096;

    private final Device device;
    private final long limitBytes;
    private final ReentrantLock lock = new ReentrantLock();
    /** Something was placed, unpinned or dropped, or another lane is the first to get room. */
    private final Condition changed = lock.newCondition();
    private final Deque<Lane> waiting = new ArrayDeque<>();
    private final LinkedHashMap<Key, Entry> entries = new LinkedHashMap<>(64, 0.75f, /* accessOrder= */ true);
    /** The same keys, for the scheduler to ask without the lock: what is on its way counts as there. */
    private final Set<Key> keys = ConcurrentHashMap.newKeySet();
    private final Map<Lane, LaneBytes> lanes = new HashMap<>();
    private long bytes;
    private long laneBytes;
    private long evictions;

    /** @param lanes of the device; while none of its requests is pinned, a lane's held memory is taken from it when needed */
    DeviceMemory(Device device, List<Lane> lanes) {
        this.device = device;
        this.limitBytes = device.info().memoryBytes();
        lanes.forEach(lane -> this.lanes.put(lane, new LaneBytes()));
    }

    private record Key(EngineSegment segment, long offsetBytes, long lengthBytes) {
        static Key of(EngineSegment segment, HostSlice slice) {
            return new Key(segment, slice.offsetBytes(), slice.lengthBytes());
        }
    }

    private static final class Entry {
        private int pins;
        private boolean forgotten;
        private Placement placement; // null until it is placed
        private RuntimeException failure; // why it never will be
    }

    /** What a lane may take besides placements: what it holds, and during a request what that may add. */
    private static final class LaneBytes {
        private boolean busy;
        private long bytes;
    }

    /** Pinned placements of one request. Closed by the lane's thread when the run is over. */
    final class Pins implements AutoCloseable {
        private final Lane lane;
        /** By argument; null where nothing is placed. */
        private final Key[] wanted;
        private final Map<Key, Entry> pinned = new HashMap<>();
        /** Those of them that this request has to place. */
        private final Map<Key, Entry> fresh = new HashMap<>();

        private Pins(Lane lane, Key[] wanted) {
            this.lane = lane;
            this.wanted = wanted;
        }

        /** Fills in the execution's placements. */
        void place(Execution execution) {
            try {
                for (int i = 0; i < wanted.length; i++) { // its own first: others may wait for them
                    if (wanted[i] != null && fresh.containsKey(wanted[i])) {
                        Placement placement = lane.place(execution.arguments().slice(i));
                        placed(fresh.remove(wanted[i]), placement);
                    }
                }
                for (int i = 0; i < wanted.length; i++) {
                    if (wanted[i] != null) {
                        execution.placements()[i] = awaitPlaced(pinned.get(wanted[i]));
                    }
                }
            } catch (RuntimeException | Error e) {
                fail(e instanceof RuntimeException failure ? failure : new IllegalStateException(e));
                throw e;
            }
        }

        /** Whoever waits for what could not be placed fails alike. */
        private void fail(RuntimeException failure) {
            lock.lock();
            try {
                fresh.forEach((key, entry) -> {
                    entry.failure = failure;
                    remove(key);
                });
                fresh.clear();
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void close() {
            lock.lock();
            try {
                pinned.forEach((key, entry) -> {
                    entry.pins--;
                    if (entry.pins == 0 && entry.failure == null && (entry.forgotten || key.segment.isClosed())) {
                        drop(key, entry);
                    }
                });
                setLane(lane, /* busy= */ false, lane.heldBytes());
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    /** Whether a slice lives on the device between requests. */
    private boolean isPlaced(EngineSegment segment, HostSlice slice) {
        return slice.lengthBytes() > 0
            && (device.sharesHostMemory() || (segment.isSealed() && !slice.access().writes()));
    }

    /** Bytes that would have to be copied before a run: 0 when all is resident. */
    long missingBytes(BoundArguments arguments, EngineSegment[] segments) {
        if (device.sharesHostMemory()) {
            return 0;
        }
        long missing = 0;
        for (int i = 0; i < segments.length; i++) {
            if (segments[i] != null && isPlaced(segments[i], arguments.slice(i))
                    && !keys.contains(Key.of(segments[i], arguments.slice(i)))) {
                missing += arguments.slice(i).lengthBytes();
            }
        }
        return missing;
    }

    /**
     * Gets memory for all that the request needs on the device. Waits while other lanes need it. The caller places and closes
     * the pins.
     *
     * @throws CoralException DEVICE_MEMORY_EXHAUSTED when the request alone does not fit
     */
    Pins pin(Lane lane, Execution execution, EngineSegment[] segments) {
        Key[] wanted = new Key[segments.length]; // decided once: a segment may be sealed at any moment
        long needed = lane.scratchBytes(execution);
        for (int i = 0; i < segments.length; i++) {
            if (segments[i] != null) {
                HostSlice slice = execution.arguments().slice(i);
                if (isPlaced(segments[i], slice)) {
                    wanted[i] = Key.of(segments[i], slice);
                } else if (!device.sharesHostMemory()) {
                    needed = Math.addExact(needed, slice.lengthBytes());
                }
            }
        }
        return admit(new Pins(lane, wanted), needed);
    }

    /** @param needed bytes besides the placements */
    private Pins admit(Pins pins, long needed) {
        Lane lane = pins.lane;
        lock.lock();
        try {
            for (Key key : pins.wanted) {
                if (key != null) {
                    pins.pinned.put(key, null);
                }
            }
            requireFits(pins.pinned.keySet(), needed);
            waiting.add(lane);
            while (waiting.peek() != lane || !makeRoom(pins.pinned.keySet(), needed)) {
                changed.awaitUninterruptibly();
            }
            waiting.remove();
            pins.pinned.replaceAll((key, none) -> pin(key, pins));
            setLane(lane, /* busy= */ true, lane.heldBytes() + needed);
            trimHandles();
            if (!waiting.isEmpty()) {
                changed.signalAll();
            }
            return pins;
        } finally {
            lock.unlock();
        }
    }

    /** With the lock held. */
    private Entry pin(Key key, Pins pins) {
        Entry entry = entries.get(key);
        if (entry == null) {
            entry = new Entry();
            entries.put(key, entry);
            keys.add(key);
            bytes += deviceBytes(key);
            key.segment.retainAgain(); // the request holds a reference already
            pins.fresh.put(key, entry);
        }
        entry.pins++;
        return entry;
    }

    private void placed(Entry entry, Placement placement) {
        lock.lock();
        try {
            entry.placement = placement;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private Placement awaitPlaced(Entry entry) {
        lock.lock();
        try {
            while (entry.placement == null) {
                if (entry.failure != null) {
                    throw entry.failure;
                }
                changed.awaitUninterruptibly();
            }
            return entry.placement;
        } finally {
            lock.unlock();
        }
    }

    /** Drops what belongs to a closed segment. */
    void forget(EngineSegment segment) {
        List<Key> gone = keys.stream().filter(key -> key.segment == segment).toList();
        lock.lock();
        try {
            for (Key key : gone) {
                Entry entry = entries.get(key);
                if (entry != null && entry.pins > 0) {
                    entry.forgotten = true;
                } else if (entry != null) {
                    drop(key, entry);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Drops everything: the device lost it, or is about to close. While no lane has a request. */
    void clear() {
        lock.lock();
        try {
            List.copyOf(entries.entrySet()).forEach(entry -> drop(entry.getKey(), entry.getValue()));
            lanes.keySet().forEach(this::releaseHeld);
        } finally {
            lock.unlock();
        }
    }

    /** Copies' bytes, those on their way included. */
    long bytes() {
        lock.lock();
        try {
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    long evictions() {
        lock.lock();
        try {
            return evictions;
        } finally {
            lock.unlock();
        }
    }

    private long deviceBytes(Key key) {
        return device.sharesHostMemory() ? 0 : key.lengthBytes;
    }

    private void requireFits(Set<Key> wanted, long needed) {
        long total = needed;
        for (Key key : wanted) {
            total = Math.addExact(total, deviceBytes(key));
        }
        if (total > limitBytes) {
            throw new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED,
                "request does not fit on the device: device=" + device.info().id() + ", requestedBytes=" + total
                    + ", freeBytes=" + freeBytes() + ", limitBytes=" + limitBytes + "; split the request");
        }
    }

    private long freeBytes() {
        return limitBytes - bytes - laneBytes;
    }

    /** With the lock held. What idle lanes hold goes first: it costs no copy. @return whether there is room now */
    private boolean makeRoom(Set<Key> wanted, long needed) {
        long fresh = needed;
        for (Key key : wanted) {
            fresh += entries.containsKey(key) ? 0 : deviceBytes(key);
        }
        if (fresh > freeBytes()) {
            for (Lane lane : lanes.keySet()) {
                if (fresh > freeBytes() && !lanes.get(lane).busy) {
                    releaseHeld(lane);
                }
            }
            for (Map.Entry<Key, Entry> candidate : List.copyOf(entries.entrySet())) { // oldest first
                if (fresh > freeBytes() && !wanted.contains(candidate.getKey()) && candidate.getValue().pins == 0) {
                    drop(candidate.getKey(), candidate.getValue());
                    evictions++;
                }
            }
        }
        return fresh <= freeBytes();
    }

    private void releaseHeld(Lane lane) {
        lane.releaseHeld();
        setLane(lane, /* busy= */ false, 0);
    }

    private void setLane(Lane lane, boolean busy, long total) {
        LaneBytes account = lanes.get(lane);
        account.busy = busy;
        laneBytes += total - account.bytes;
        account.bytes = total;
    }

    private void trimHandles() {
        if (entries.size() <= MAX_ENTRIES) {
            return;
        }
        for (Map.Entry<Key, Entry> candidate : new ArrayList<>(entries.entrySet())) {
            if (entries.size() <= MAX_ENTRIES / 2) {
                return;
            }
            if (candidate.getValue().pins == 0) {
                drop(candidate.getKey(), candidate.getValue());
            }
        }
    }

    /** With the lock held, like the next. */
    private void drop(Key key, Entry entry) {
        entry.placement.close();
        remove(key);
    }

    private void remove(Key key) {
        entries.remove(key);
        keys.remove(key);
        bytes -= deviceBytes(key);
        key.segment.release();
    }
}
