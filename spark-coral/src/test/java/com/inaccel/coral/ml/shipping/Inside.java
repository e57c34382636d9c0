package com.inaccel.coral.ml.shipping;

import com.inaccel.coral.protocol.SealedMemory;
import org.apache.spark.sql.Dataset;

/** Opens to other packages' tests what only this one can see. */
public final class Inside {
    private Inside() { }

    /** Bytes of shared memory that this process has mapped once its sessions are closed. */
    public static long sharedMemoryInUse() {
        Sessions.closeAll();
        return SealedMemory.liveBytes();
    }

    /** Whether the column would be shipped from a columnar reader's batches. */
    public static boolean isColumnar(Dataset<?> dataset, String column) {
        return SharedShipment.columnarChild(dataset.select(column).queryExecution().executedPlan(), FeatureRow.Kind.FLOATS)
            .isPresent();
    }
}
