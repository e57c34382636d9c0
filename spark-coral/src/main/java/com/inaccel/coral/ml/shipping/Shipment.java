package com.inaccel.coral.ml.shipping;

import java.io.Serializable;

/**
 * What is shipped of a dataset, and how. Equal shipments of the same data are the same bytes.
 *
 * @param featuresCol a column of vectors or of {@code array<float|double>}
 * @param weightCol a numeric column that is refused where it is negative or not finite; empty: rows have no weight
 * @param labelCol a numeric column that is refused where it holds other than the numbers of classes; empty: no labels
 * @param normalized whether rows are scaled to unit length
 * @param summarized whether a {@link FeatureSummary} is made on the way
 * @param probe an accelerator that every device with double compute units has: decides between double and single where
 *     the configuration leaves it open
 */
public record Shipment(String featuresCol, String weightCol, String labelCol, boolean normalized, boolean summarized,
        String probe) implements Serializable {
    boolean weighted() {
        return !weightCol.isEmpty();
    }

    boolean labelled() {
        return !labelCol.isEmpty();
    }
}
