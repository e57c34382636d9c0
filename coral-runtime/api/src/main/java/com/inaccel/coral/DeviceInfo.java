package com.inaccel.coral;

/**
 * A device as clients see it.
 *
 * @param id unique on the node, e.g. {@code xilinx-u250-0}
 * @param vendor e.g. {@code xilinx}, {@code intel}, {@code pocl}, {@code host}
 * @param platform e.g. {@code u250}
 * @param description the driver's own words
 * @param memoryBytes memory that residents and scratch may take
 * @param computeUnits parallel units of the device
 * @param fallback why pure Java computes where OpenCL was looked for; empty where the device is what was asked for
 */
public record DeviceInfo(String id, String vendor, String platform, String description, long memoryBytes,
        int computeUnits, String fallback) { }
