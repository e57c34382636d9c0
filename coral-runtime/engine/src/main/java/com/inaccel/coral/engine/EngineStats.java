package com.inaccel.coral.engine;

import java.util.List;

/**
 * What the engine counted since it started, and what it holds now. Counters only grow.
 *
 * @param allocations by name
 * @param queueLength requests accepted and not yet taken by a device
 * @param usedBytes shared memory in segments that clients hold or requests use
 * @param pooledBytes shared memory freed and kept for reuse by the allocation that freed it
 * @param limitBytes what both together may take
 * @param hostFallbacks 1 when no OpenCL device was found and the pure-Java device serves instead, else 0
 * @param retries requests run a second time because a device failed under the first
 * @param bitstreamsRefused bitstreams that are there now and not used: broken, untrusted or at odds with another
 */
public record EngineStats(
        List<DeviceStats> devices,
        List<AllocationStats> allocations,
        long requestsDone,
        long requestsFailed,
        long requestsCancelled,
        int queueLength,
        long usedBytes,
        long pooledBytes,
        long limitBytes,
        long hostFallbacks,
        long retries,
        int bitstreamsRefused) {

    public EngineStats {
        devices = List.copyOf(devices);
        allocations = List.copyOf(allocations);
    }

    /**
     * One allocation that has sessions or holds memory.
     *
     * @param waiting requests accepted and not yet taken by a device
     * @param segments in use
     * @param usedBytes shared memory in segments that its clients hold or its requests use
     * @param pooledBytes shared memory freed and kept for its reuse
     */
    public record AllocationStats(
            Allocation allocation, int sessions, int waiting, int segments, long usedBytes, long pooledBytes) {
        AllocationStats withWaiting(int requests) {
            return new AllocationStats(allocation, sessions, requests, segments, usedBytes, pooledBytes);
        }
    }

    /**
     * One device.
     *
     * @param bitstream {@code id version} of the last one programmed; empty before the first
     * @param residentBytes device memory that copies of sealed segments take; 0 where the host's memory is used in place
     * @param running requests on its lanes now
     * @param requests that its lanes took
     * @param failures times that it failed, however many requests it worked on then
     * @param busyNanos time during which it worked on at least one request, programming and copying included
     */
    public record DeviceStats(
            String id,
            boolean healthy,
            String bitstream,
            long residentBytes,
            int running,
            long requests,
            long failures,
            long evictions,
            long programmings,
            long busyNanos) { }
}
