package com.inaccel.coral.manager.kubernetes;

import static java.util.Comparator.comparing;

import com.inaccel.coral.manager.inventory.NodeDevice;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** A part of an FPGA's time that one container can have: what a device plugin calls a device. */
record Replica(String id, NodeDevice device) {
    /** Kubernetes takes 63 characters for an id; allocations are named after it, with something before it. */
    static final int MAX_ID = 56;

    static List<Replica> of(NodeDevice device, int share) {
        if (share == 1) {
            return List.of(new Replica(device.id(), device));
        }
        List<Replica> replicas = new ArrayList<>();
        for (int i = 0; i < share; i++) {
            replicas.add(new Replica(device.id() + "-" + i, device));
        }
        return replicas;
    }

    /**
     * Which of the free ones a container had best get: parts of as many FPGAs as possible, close to each other, and of the
     * FPGAs that most parts of are free, so that the load spreads.
     *
     * @param required those that it gets in any case
     */
    static List<String> prefer(Collection<Replica> free, Collection<Replica> required, int count) {
        List<Replica> chosen = new ArrayList<>(required);
        Set<Replica> left = new HashSet<>(free);
        left.removeAll(chosen);
        while (chosen.size() < count && !left.isEmpty()) {
            Map<String, Integer> taken = new HashMap<>();
            Map<String, Integer> available = new HashMap<>();
            Set<OptionalInt> nodes = new HashSet<>();
            chosen.forEach(replica -> taken.merge(replica.device.id(), 1, Integer::sum));
            chosen.forEach(replica -> nodes.add(replica.device.numaNode()));
            left.forEach(replica -> available.merge(replica.device.id(), 1, Integer::sum));
            Comparator<Replica> best = comparing((Replica replica) -> taken.getOrDefault(replica.device.id(), 0))
                .thenComparing(replica -> nodes.isEmpty() || nodes.contains(replica.device.numaNode()) ? 0 : 1)
                .thenComparing(replica -> -available.get(replica.device.id()))
                .thenComparing(Replica::id);
            Replica next = left.stream().min(best).orElseThrow();
            left.remove(next);
            chosen.add(next);
        }
        return chosen.stream().map(Replica::id).toList();
    }
}
