package com.inaccel.coral.simulator;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which data are on which device: each keeps what was used last, as far as its memory goes. */
final class Residents {
    private static final BitSet NOWHERE = new BitSet();

    /** By device: bytes by data, the longest unused first. */
    private final List<Map<Integer, Long>> kept = new ArrayList<>();
    private final long[] freeBytes;
    private final long[] memoryBytes;
    /** By data. */
    private final Map<Integer, BitSet> holders = new LinkedHashMap<>();

    Residents(Hardware hardware) {
        memoryBytes = new long[hardware.devices()];
        for (int device = 0; device < memoryBytes.length; device++) {
            kept.add(new LinkedHashMap<>(16, 0.75f, /* accessOrder= */ true));
            memoryBytes[device] = hardware.platform(device).memoryBytes();
        }
        freeBytes = memoryBytes.clone();
    }

    boolean holds(int device, int data) {
        return holders(data).get(device);
    }

    /** Not changed by the caller. */
    BitSet holders(int data) {
        return holders.getOrDefault(data, NOWHERE);
    }

    /** Larger data than the memory are used and not kept. */
    void use(int device, int data, long bytes) {
        Map<Integer, Long> here = kept.get(device);
        if (here.get(data) != null || bytes > memoryBytes[device]) {
            return;
        }
        Iterator<Map.Entry<Integer, Long>> oldest = here.entrySet().iterator();
        while (freeBytes[device] < bytes) {
            Map.Entry<Integer, Long> evicted = oldest.next();
            freeBytes[device] += evicted.getValue();
            holders.get(evicted.getKey()).clear(device);
            oldest.remove();
        }
        here.put(data, bytes);
        freeBytes[device] -= bytes;
        holders.computeIfAbsent(data, key -> new BitSet()).set(device);
    }

    void clear(int device) {
        kept.get(device).keySet().forEach(data -> holders.get(data).clear(device));
        kept.get(device).clear();
        freeBytes[device] = memoryBytes[device];
    }
}
