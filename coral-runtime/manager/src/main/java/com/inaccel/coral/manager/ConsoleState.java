package com.inaccel.coral.manager;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import java.util.List;
import java.util.Map;

/**
 * What {@code /api/state} answers: everything that the console and {@code coral top} show. Times of day are in
 * milliseconds since 1970.
 *
 * @param history {@link History#lines}
 * @param requests the latest that ended, latest first
 * @param events the latest failures, latest first, as in the event log
 */
@JsonIgnoreProperties(ignoreUnknown = true) // the manager may be a later one
record ConsoleState(
        int v,
        long timeMillis,
        long startedMillis,
        String address,
        Engine engine,
        List<Device> devices,
        List<Allocation> allocations,
        History.Lines history,
        List<RecentRequests.Ended> requests,
        List<Map<String, Object>> events) {
    /** Changes when something here changes its name or meaning. */
    static final int VERSION = 1;

    @JsonIgnoreProperties(ignoreUnknown = true)
    record Engine(
            long requestsDone, long requestsFailed, long requestsCancelled, double donePerSecond, int waiting, long retries,
            boolean hostFallback, long usedBytes, long pooledBytes, long limitBytes) { }

    /**
     * One device.
     *
     * @param bitstream empty when none was programmed
     * @param utilizationPercent of the last second
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Device(
            String id, String vendor, String platform, String description, boolean healthy, String bitstream,
            int computeUnits, int utilizationPercent, int running, long residentBytes, long memoryBytes,
            long requests, long failures, long programmings, long evictions) { }

    /**
     * One allocation.
     *
     * @param waitP50Seconds of the last seconds; null, like the next, when nothing was done in them
     */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Allocation(
            String name, int share, int sessions, int waiting, double donePerSecond, double failedPerSecond,
            Double waitP50Seconds, Double waitP95Seconds, int segments, long usedBytes, long pooledBytes, long quotaBytes) { }
}
