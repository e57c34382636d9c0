package com.inaccel.coral.manager.kubernetes;

import java.util.OptionalInt;

/**
 * An FPGA as Kubernetes gets to know it.
 *
 * @param id the same after every restart
 * @param numaNode empty where the machine does not tell
 * @param problem why it cannot be used now; empty when it can
 */
record NodeDevice(String id, String vendor, String platform, OptionalInt numaNode, String problem) {
    boolean isHealthy() {
        return problem.isEmpty();
    }
}
