package com.inaccel.coral.engine;

import java.util.HashMap;
import java.util.Map;

/**
 * Counts what all allocations draw on and each must be sure of: half of the places are set aside in equal parts, one for
 * each allocation that there can be, whether it is there already or not; the other half is for whoever comes first.
 * Thread-safe.
 */
public final class Places {
    private final int reserved;
    private final int common;
    private final Map<String, Integer> taken = new HashMap<>();
    private int commonTaken;

    /** @param allocations how many there can be */
    public Places(int total, int allocations) {
        reserved = total / 2 / allocations;
        common = total - reserved * allocations;
    }

    /** False when the allocation has used up its own part and the common one is empty. */
    public synchronized boolean take(String allocation) {
        int mine = taken.getOrDefault(allocation, 0);
        if (mine >= reserved) {
            if (commonTaken == common) {
                return false;
            }
            commonTaken++;
        }
        taken.put(allocation, mine + 1);
        return true;
    }

    public synchronized void giveBack(String allocation) {
        int mine = taken.get(allocation);
        if (mine > reserved) {
            commonTaken--;
        }
        if (mine == 1) {
            taken.remove(allocation);
        } else {
            taken.put(allocation, mine - 1);
        }
    }

    /** What an allocation is sure of. */
    public int reserved() {
        return reserved;
    }
}
