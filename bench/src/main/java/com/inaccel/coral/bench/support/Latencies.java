package com.inaccel.coral.bench.support;

import java.util.Arrays;

/** Times of one kind of call, in nanoseconds, sorted. */
public record Latencies(long[] nanos) {
    public Latencies {
        nanos = nanos.clone();
        Arrays.sort(nanos);
    }

    /** The time that this part of the calls, from 0 to 1, did not exceed; in microseconds. */
    public double micros(double part) {
        return nanos[(int) Math.min(nanos.length - 1, Math.floor(part * nanos.length))] / 1e3;
    }
}
