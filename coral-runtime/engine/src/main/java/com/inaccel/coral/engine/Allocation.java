package com.inaccel.coral.engine;

import static java.util.Objects.requireNonNull;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;

/**
 * One tenant: what the node granted to one pod. Sessions with equal allocations share its quota and its turn.
 *
 * @param name unique on the node among the allocations that have sessions
 * @param quotaBytes shared memory that all its sessions together may hold
 * @param share weight of its turn on the devices, from 1: twice the share, twice the device time under contention
 */
public record Allocation(String name, long quotaBytes, int share) {
    static final int MAX_SHARE = 1_000;

    public Allocation {
        requireNonNull(name);
        if (quotaBytes < 1) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a quota: allocation=" + name + ", quotaBytes=" + quotaBytes + "; grant at least 1");
        }
        if (share < 1 || share > MAX_SHARE) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT,
                "not a share: allocation=" + name + ", share=" + share + "; grant 1 to " + MAX_SHARE);
        }
    }
}
