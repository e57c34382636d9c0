package com.inaccel.coral.simulator;

import java.util.Arrays;

/**
 * The devices and what they can do.
 *
 * @param platformOf by device: the number of its platform
 * @param runs by accelerator and platform: whether it can run there
 */
record Hardware(int[] platformOf, Platform[] platforms, boolean[][] runs) {
    /**
     * Devices of one kind.
     *
     * @param memoryBytes for data that stay between requests
     * @param lanes requests that one device works on at once
     */
    record Platform(long programmingNanos, double copyNanosPerByte, long memoryBytes, int lanes) { }

    /** Devices of one platform that run everything. */
    static Hardware uniform(int devices, int accelerators, Platform platform) {
        boolean[][] runs = new boolean[accelerators][1];
        for (boolean[] one : runs) {
            one[0] = true;
        }
        return new Hardware(new int[devices], new Platform[] {platform}, runs);
    }

    int devices() {
        return platformOf.length;
    }

    int accelerators() {
        return runs.length;
    }

    Platform platform(int device) {
        return platforms[platformOf[device]];
    }

    boolean runs(int accelerator, int device) {
        return runs[accelerator][platformOf[device]];
    }

    int lanes() {
        return Arrays.stream(platformOf).map(platform -> platforms[platform].lanes()).sum();
    }

    /** Of all devices of these platforms. */
    int lanes(boolean[] ofPlatforms) {
        return Arrays.stream(platformOf).map(platform -> ofPlatforms[platform] ? platforms[platform].lanes() : 0).sum();
    }
}
