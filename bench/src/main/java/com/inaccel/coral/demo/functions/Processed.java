package com.inaccel.coral.demo.functions;

import java.util.Map;

/**
 * What became of a photograph.
 *
 * @param edges encoded, like the next
 * @param devices by operation
 * @param deviceMillis by operation
 * @param stages in milliseconds, as the function measured them
 * @param callMillis as the sender of the event measured them
 */
record Processed(Photo photo, byte[] edges, byte[] warped, Map<String, String> devices, Map<String, Double> deviceMillis,
        Map<String, Double> stages, double callMillis) { }
