package com.inaccel.coral.engine;

import static java.util.stream.Collectors.toCollection;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What each allocation can run on these devices with the bitstreams of one store. Immutable: swapped as a whole. */
final class InstalledBitstreams {
    private final BitstreamStore store;
    private final List<Device> devices;
    /** What everybody can run, by accelerator. */
    private final Map<String, Installed> common;
    /** What allocations that see more can run. */
    private final Map<String, Map<String, Installed>> byAllocation = new HashMap<>();

    InstalledBitstreams(BitstreamStore store, List<Device> devices) {
        this.store = store;
        this.devices = List.copyOf(devices);
        common = runnable(store.visibleTo(""));
        for (String allocation : store.privilegedAllocations()) {
            byAllocation.put(allocation, runnable(store.visibleTo(allocation)));
        }
    }

    private Map<String, Installed> runnable(List<Bitstream> visible) {
        Map<String, Installed> runnable = new TreeMap<>();
        for (String name : BitstreamStore.accelerators(visible)) {
            List<List<Bitstream>> candidates = devices.stream()
                .map(device -> BitstreamStore.implementing(visible, name, device::accepts)).toList();
            if (candidates.stream().anyMatch(some -> !some.isEmpty())) {
                runnable.put(name, new Installed(name, candidates));
            }
        }
        return Collections.unmodifiableMap(runnable);
    }

    BitstreamStore store() {
        return store;
    }

    /** What anybody can run. */
    Set<String> accelerators() {
        Set<String> names = new TreeSet<>(common.keySet());
        byAllocation.values().forEach(runnable -> names.addAll(runnable.keySet()));
        return Collections.unmodifiableSet(names);
    }

    Set<String> accelerators(String allocation) {
        return runnableBy(allocation).keySet();
    }

    /** @throws CoralException UNKNOWN_ACCELERATOR, which tells nothing of what others see */
    Installed find(String allocation, String accelerator) {
        Installed found = runnableBy(allocation).get(accelerator);
        if (found == null) {
            throw new CoralException(ErrorCode.UNKNOWN_ACCELERATOR,
                "no device here runs the accelerator: accelerator=" + accelerator + ", platforms="
                    + devices.stream().map(device -> device.info().vendor() + "/" + device.info().platform())
                        .collect(toCollection(TreeSet::new))
                    + ", installed=" + store.visibleTo(allocation) + ", available=" + accelerators(allocation)
                    + "; install a bitstream that implements it for one of these platforms");
        }
        return found;
    }

    private Map<String, Installed> runnableBy(String allocation) {
        return byAllocation.getOrDefault(allocation, common);
    }
}
