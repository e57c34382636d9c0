package com.inaccel.coral;

/**
 * How a request ended well: where it ran and what its time went into.
 *
 * @param device the device's id, as in {@link DeviceInfo#id}
 * @param queueNanos from submission until a device took it
 * @param transferNanos copying to and from the device; 0 where the device shares the host's memory
 * @param runNanos execution on the device
 */
public record Completion(String device, long queueNanos, long transferNanos, long runNanos) { }
