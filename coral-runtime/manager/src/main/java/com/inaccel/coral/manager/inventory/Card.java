package com.inaccel.coral.manager.inventory;

import java.util.OptionalInt;

/**
 * An FPGA card as sysfs shows it, whether or not anything here can drive it.
 *
 * @param id from where it is plugged in, so the same after every restart, whatever runs on it: {@code xilinx-0000-3b-00}
 * @param platform of bitstreams for it, e.g. {@code u250}; empty where it cannot be told
 * @param shell what is loaded around its accelerators; empty where it cannot be told
 * @param pciAddress of the function that programs use, e.g. {@code 0000:3b:00.1}
 * @param numaNode empty where the machine does not tell
 * @param problem why it cannot be used now; empty when nothing is seen that is in the way
 */
record Card(String id, String vendor, String platform, String shell, String pciAddress, OptionalInt numaNode,
        String problem) {
    boolean isWell() {
        return problem.isEmpty();
    }

    /** The card without the function: what its functions have in common. */
    static String slot(String pciAddress) {
        return pciAddress.substring(0, pciAddress.indexOf('.'));
    }

    static String id(String vendor, String pciAddress) {
        return vendor + "-" + slot(pciAddress).replace(':', '-');
    }

    Card withProblem(String text) {
        return new Card(id, vendor, platform, shell, pciAddress, numaNode, text);
    }
}
