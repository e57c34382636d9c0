package com.inaccel.coral.manager.inventory;

import java.util.OptionalInt;

/**
 * An FPGA of this node, as those who ask for one get to know it.
 *
 * @param id the same after every restart; letters, digits and dashes
 * @param platform of bitstreams for it, e.g. {@code u250}; empty where it cannot be told
 * @param shell what is loaded around its accelerators; empty where it cannot be told, and when emulated
 * @param pciAddress where it sits; empty where nobody tells, and when emulated
 * @param numaNode empty where the machine does not tell
 * @param emulated whether it is no card
 * @param usable whether the engine has it: only then can it ever be healthy
 * @param problem why it cannot be used now; empty when it can
 */
public record NodeDevice(String id, String vendor, String platform, String shell, String pciAddress, OptionalInt numaNode,
        boolean emulated, boolean usable, String problem) {
    public boolean isHealthy() {
        return problem.isEmpty();
    }
}
