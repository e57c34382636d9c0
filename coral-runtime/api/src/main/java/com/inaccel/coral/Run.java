package com.inaccel.coral;

import java.util.Collection;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;

/**
 * What one call of {@link Accelerators} took on devices, over all of its requests.
 *
 * @param devices ids of those that did it, as in {@link DeviceInfo#id}, in order
 * @param requests how many it was cut into
 * @param queueNanos from submission until a device took it, summed
 * @param transferNanos copying to and from devices, summed; 0 where they share the host's memory
 * @param runNanos execution on devices, summed
 */
public record Run(Set<String> devices, int requests, long queueNanos, long transferNanos, long runNanos) {
    static Run of(Collection<Completion> completions) {
        Set<String> devices = new TreeSet<>();
        long queue = 0;
        long transfer = 0;
        long run = 0;
        for (Completion completion : completions) {
            devices.add(completion.device());
            queue += completion.queueNanos();
            transfer += completion.transferNanos();
            run += completion.runNanos();
        }
        return new Run(Collections.unmodifiableSet(devices), completions.size(), queue, transfer, run);
    }

    /** Transfer and execution. */
    public long deviceNanos() {
        return transferNanos + runNanos;
    }
}
