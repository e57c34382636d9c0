package com.inaccel.coral.accelerators;

import java.util.List;
import java.util.stream.Stream;

/**
 * What the KMeans accelerators share. There are eight: {@code Assign} (one Lloyd iteration: label each row and add it to
 * its cluster) and {@code Nearest} (let each row know further candidates, for k-means||), for dense and sparse rows, with
 * features stored in single or double. The contract that both kernels and these references keep, to the bit, heads
 * {@code dense.cl} and {@code sparse.cl}.
 */
abstract class KMeans extends RowsAccelerator {
    static final String FEWER = "use fewer centers or features";

    KMeans(String kernelId, Real real, List<Parameter> parameters) {
        super("com.inaccel.ml.KMeans." + kernelId, real, parameters);
    }

    static List<Accelerator> all() {
        return Stream.of(Real.values())
            .flatMap(real -> Stream.<Accelerator>of(
                KMeansDense.assign(real), KMeansDense.nearest(real),
                KMeansSparse.assign(real), KMeansSparse.nearest(real)))
            .toList();
    }

    /** The least distance and who has it, lowest index first. */
    static final class Nearest {
        double distance;
        int label;
    }
}
