package com.inaccel.coral.manager;

import static java.util.stream.Collectors.joining;

import java.util.Arrays;
import java.util.Locale;

/**
 * Every metric of Coral's own: what it is called, what it counts, and by which labels. Units are Prometheus's base units.
 *
 * <p>Labels take their values only from the node's own names: granted allocations, installed accelerators, devices, and
 * the words of our own enumerations. Whatever clients send can neither add a series nor name one.
 */
enum Metric {
    REQUESTS(Type.COUNTER, "coral_requests_total",
        "Requests that ended, by outcome: done, or the error's code; QUEUE_FULL is back-pressure",
        "allocation, accelerator, outcome"),
    REQUEST_QUEUE(Type.HISTOGRAM, "coral_request_queue_seconds",
        "From the submission of a request that was done until a device took it", "allocation"),
    REQUEST_TRANSFER(Type.HISTOGRAM, "coral_request_transfer_seconds",
        "Copying to and from the device for a request that was done", "device"),
    REQUEST_RUN(Type.HISTOGRAM, "coral_request_run_seconds", "Execution of a request that was done", "accelerator"),
    REQUESTS_WAITING(Type.GAUGE, "coral_requests_waiting", "Requests accepted and not yet taken by a device",
        "allocation"),
    REQUEST_RETRIES(Type.COUNTER, "coral_request_retries_total",
        "Requests run a second time because a device failed under the first", ""),
    DEVICE(Type.INFO, "coral_device_info", "1 for each device", "device, vendor, platform"),
    DEVICE_HEALTHY(Type.GAUGE, "coral_device_healthy", "1 when the device takes requests, 0 while it is being mended",
        "device"),
    DEVICE_PROGRAMMED(Type.INFO, "coral_device_programmed_info", "1 for the bitstream programmed last", "device, bitstream"),
    DEVICE_BUSY(Type.COUNTER, "coral_device_busy_seconds_total",
        "Time spent on requests, programming and copying included", "device"),
    DEVICE_RUNNING(Type.GAUGE, "coral_device_requests_running", "Requests on the device now, being copied or run", "device"),
    DEVICE_REQUESTS(Type.COUNTER, "coral_device_requests_total", "Requests that the device took", "device"),
    DEVICE_FAILURES(Type.COUNTER, "coral_device_failures_total", "Failures of the device itself", "device"),
    DEVICE_PROGRAMMINGS(Type.COUNTER, "coral_device_programmings_total", "Times that the device was programmed",
        "device"),
    DEVICE_EVICTIONS(Type.COUNTER, "coral_device_evictions_total", "Residents dropped to make room for others",
        "device"),
    DEVICE_RESIDENT(Type.GAUGE, "coral_device_resident_bytes",
        "Device memory that copies of sealed segments take; 0 where the host's memory is used in place", "device"),
    DEVICE_MEMORY(Type.GAUGE, "coral_device_memory_limit_bytes", "Memory of the device", "device"),
    SESSIONS(Type.GAUGE, "coral_sessions", "Clients connected", "allocation"),
    SEGMENTS(Type.GAUGE, "coral_segments", "Segments in use", "allocation"),
    MEMORY_USED(Type.GAUGE, "coral_shared_memory_used_bytes",
        "Shared memory in segments that clients hold or requests use", "allocation"),
    MEMORY_POOLED(Type.GAUGE, "coral_shared_memory_pooled_bytes",
        "Shared memory freed and kept for reuse by the allocation that freed it", "allocation"),
    MEMORY_QUOTA(Type.GAUGE, "coral_shared_memory_quota_bytes", "What the allocation may take of it", "allocation"),
    MEMORY_LIMIT(Type.GAUGE, "coral_shared_memory_limit_bytes", "What all allocations together may take of it", ""),
    HOST_FALLBACKS(Type.GAUGE, "coral_host_fallbacks",
        "1 when no OpenCL device was found and the pure-Java device serves instead", ""),
    BITSTREAMS_REFUSED(Type.GAUGE, "coral_bitstreams_refused",
        "Bitstreams that are there and not used: broken, untrusted or at odds with another", ""),
    LABELS_FAILED(Type.COUNTER, "coral_kubernetes_labels_failed_total",
        "Attempts to label the node in Kubernetes that failed", ""),
    EVENTS(Type.COUNTER, "coral_events_total", "Events, those that the event log left out included", "event"),
    EVENTS_LOST(Type.COUNTER, "coral_events_lost_total",
        "Events that could not be written to the event log: its disk is full or too slow", "");

    enum Type { COUNTER, GAUGE, HISTOGRAM, INFO }

    private final Type type;
    private final String id;
    private final String help;
    private final String labels;

    Metric(Type type, String id, String help, String labels) {
        this.type = type;
        this.id = id;
        this.help = help;
        this.labels = labels;
    }

    /** As it is exposed. */
    String id() {
        return id;
    }

    /** As the library wants it: it adds the endings of counters and infos itself. */
    String stem() {
        return id.replaceFirst("(_total|_info)$", "");
    }

    String help() {
        return help;
    }

    String[] labels() {
        return labels.isEmpty() ? new String[0] : labels.split(", ");
    }

    /** The table of the documentation. */
    static String markdown() {
        return Arrays.stream(values())
            .map(metric -> "| `" + metric.id + "` | " + metric.type.name().toLowerCase(Locale.ROOT) + " | "
                + metric.labels + " | " + metric.help + " |")
            .collect(joining("\n", "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n", "\n"));
    }
}
