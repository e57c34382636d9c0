package com.inaccel.coral.engine;

import static java.util.stream.Collectors.toSet;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Device.Placement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What is placed on one device: slices of segments, kept between requests, least recently used first to go.
 *
 * <p>A device with memory of its own keeps copies of sealed segments' slices, by bytes. One that shares the host's memory
 * keeps handles, which take no memory, and of any segment. Each entry holds a reference to its segment. Entries in use
 * are pinned; the device's thread pins and unpins, any thread may {@link #forget}. An entry that is forgotten while
 * pinned goes when it is unpinned.
 */
final class DeviceMemory {
    /** Handles cost the driver memory too, so there is a bound on them. */
    private static final int MAX_ENTRIES = 4096;

    private final Device device;
    private final long limitBytes;
    private final LinkedHashMap<Key, Entry> entries = new LinkedHashMap<>(64, 0.75f, /* accessOrder= */ true);
    /** The same keys, for the scheduler to ask without the lock. */
    private final Set<Key> keys = ConcurrentHashMap.newKeySet();
    private long bytes;
    private long evictions;

    DeviceMemory(Device device) {
        this.device = device;
        this.limitBytes = device.info().memoryBytes();
    }

    private record Key(EngineSegment segment, long offsetBytes, long lengthBytes) {
        static Key of(EngineSegment segment, HostSlice slice) {
            return new Key(segment, slice.offsetBytes(), slice.lengthBytes());
        }
    }

    private static final class Entry {
        private final Placement placement;
        private int pins = 1;
        private boolean forgotten;

        private Entry(Placement placement) {
            this.placement = placement;
        }
    }

    /** Pinned placements of one request. Closed by the device's thread when the run is over. */
    final class Pins implements AutoCloseable {
        private final Map<Key, Entry> pinned = new LinkedHashMap<>();

        @Override
        public void close() {
            synchronized (DeviceMemory.this) {
                pinned.forEach((key, entry) -> {
                    entry.pins--;
                    if (entry.pins == 0 && (entry.forgotten || key.segment.isClosed())) {
                        drop(key, entry);
                    }
                });
                pinned.clear();
            }
        }
    }

    /** Whether a slice lives on the device between requests. */
    private boolean isPlaced(EngineSegment segment, HostSlice slice) {
        return slice.lengthBytes() > 0
            && (device.sharesHostMemory() || (segment.isSealed() && !slice.access().writes()));
    }

    /** Bytes that would have to be copied before a run: 0 when all is resident. Any thread. */
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
     * Places what the request keeps on the device and fills in the execution's placements.
     *
     * @throws CoralException DEVICE_MEMORY_EXHAUSTED when the request alone does not fit
     */
    Pins pin(Execution execution, EngineSegment[] segments) {
        Pins pins = new Pins();
        try {
            Key[] wanted = new Key[segments.length]; // decided once: a segment may be sealed at any moment
            long passingBytes = 0;
            for (int i = 0; i < segments.length; i++) {
                if (segments[i] != null) {
                    HostSlice slice = execution.arguments().slice(i);
                    if (isPlaced(segments[i], slice)) {
                        wanted[i] = Key.of(segments[i], slice);
                    } else {
                        passingBytes = Math.addExact(passingBytes, slice.lengthBytes());
                    }
                }
            }
            long workspaceBytes = device.workspaceBytes(execution);
            if (device.sharesHostMemory()) {
                makeRoom(new Key[0], workspaceBytes);
            } else {
                makeRoom(wanted, Math.addExact(passingBytes, workspaceBytes));
            }
            for (int i = 0; i < segments.length; i++) {
                if (wanted[i] != null) {
                    execution.placements()[i] = pin(pins, wanted[i], execution.arguments().slice(i));
                }
            }
            trimHandles();
            return pins;
        } catch (RuntimeException | Error e) {
            pins.close();
            throw e;
        }
    }

    /** Drops what belongs to a closed segment. Any thread. */
    synchronized void forget(EngineSegment segment) {
        List<Key> gone = keys.stream().filter(key -> key.segment == segment).toList();
        for (Key key : gone) {
            Entry entry = entries.get(key);
            if (entry.pins > 0) {
                entry.forgotten = true;
            } else {
                drop(key, entry);
            }
        }
    }

    /** Drops everything: the device lost it, or is about to close. The device's thread, with nothing pinned. */
    synchronized void clear() {
        new ArrayList<>(entries.entrySet()).forEach(entry -> drop(entry.getKey(), entry.getValue()));
    }

    synchronized long bytes() {
        return bytes;
    }

    synchronized long evictions() {
        return evictions;
    }

    private void makeRoom(Key[] wanted, long workspaceBytes) {
        Set<Key> needed = Arrays.stream(wanted).filter(Objects::nonNull).collect(toSet());
        long total = workspaceBytes;
        long fresh = workspaceBytes;
        synchronized (this) {
            for (Key key : needed) {
                total = Math.addExact(total, key.lengthBytes);
                fresh += entries.containsKey(key) ? 0 : key.lengthBytes;
            }
            if (total > limitBytes) {
                throw new CoralException(ErrorCode.DEVICE_MEMORY_EXHAUSTED,
                    "request does not fit on the device: device=" + device.info().id() + ", requestedBytes=" + total
                        + ", freeBytes=" + (limitBytes - bytes) + ", limitBytes=" + limitBytes
                        + "; split the request");
            }
            if (fresh > limitBytes - bytes || device.heldWorkspaceBytes() > limitBytes - bytes - fresh) {
                device.releaseWorkspace();
            }
            Iterator<Map.Entry<Key, Entry>> oldestFirst = List.copyOf(entries.entrySet()).iterator();
            while (fresh > limitBytes - bytes && oldestFirst.hasNext()) {
                Map.Entry<Key, Entry> candidate = oldestFirst.next();
                if (!needed.contains(candidate.getKey()) && candidate.getValue().pins == 0) {
                    drop(candidate.getKey(), candidate.getValue());
                    evictions++;
                }
            }
        }
    }

    private Placement pin(Pins pins, Key key, HostSlice slice) {
        synchronized (this) {
            Entry entry = pins.pinned.get(key);
            if (entry != null) {
                return entry.placement;
            }
            entry = entries.get(key);
            if (entry != null) {
                entry.pins++;
                pins.pinned.put(key, entry);
                return entry.placement;
            }
        }
        // Outside the lock, for a copy takes long. Only this thread adds, so the key stays absent meanwhile.
        Placement placement = device.place(slice);
        synchronized (this) {
            key.segment.retainAgain(); // the request holds a reference already
            Entry entry = new Entry(placement);
            entries.put(key, entry);
            keys.add(key);
            bytes += placement.deviceBytes();
            pins.pinned.put(key, entry);
            return placement;
        }
    }

    private void trimHandles() {
        synchronized (this) {
            if (entries.size() <= MAX_ENTRIES) {
                return;
            }
            for (Map.Entry<Key, Entry> candidate : List.copyOf(entries.entrySet())) {
                if (entries.size() <= MAX_ENTRIES / 2) {
                    return;
                }
                if (candidate.getValue().pins == 0) {
                    drop(candidate.getKey(), candidate.getValue());
                }
            }
        }
    }

    /** With the lock held. */
    private void drop(Key key, Entry entry) {
        entries.remove(key);
        keys.remove(key);
        bytes -= entry.placement.deviceBytes();
        entry.placement.close();
        key.segment.release();
    }
}
