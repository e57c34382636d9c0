package com.inaccel.coral.bench.manager;

import java.util.Arrays;

/** Times of one kind of call, in nanoseconds, sorted. */
record Latencies(long[] nanos) {
    Latencies {
        nanos = nanos.clone();
        Arrays.sort(nanos);
    }

    /** The time that this part of the calls, from 0 to 1, did not exceed; in microseconds. */
    double micros(double part) {
        return nanos[(int) Math.min(nanos.length - 1, Math.floor(part * nanos.length))] / 1e3;
    }
}
