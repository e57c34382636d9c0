package com.inaccel.coral.ml.shipping;

import java.io.Serializable;
import java.util.Arrays;

/**
 * A fit, as the partitions know it: fits that share a shipment have scratch memory of their own each.
 *
 * @param id unlike any other of this shipment; they count up
 * @param living the fits under way when this was made
 * @param bound above the ids of all that had begun by then
 */
record ScratchOwner(long id, long[] living, long bound) implements Serializable {
    /** Whether a fit is known to be over; one that began later is not. */
    boolean knowsTheEndOf(long other) {
        return other < bound && Arrays.binarySearch(living, other) < 0;
    }
}
