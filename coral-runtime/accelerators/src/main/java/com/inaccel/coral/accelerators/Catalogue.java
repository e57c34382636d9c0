package com.inaccel.coral.accelerators;

import static java.util.function.Function.identity;
import static java.util.stream.Collectors.toUnmodifiableMap;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The accelerators that come with Coral, and the bitstreams that implement them. */
public final class Catalogue {
    private static final Map<String, Accelerator> ACCELERATORS = Stream
        .of(List.of(new VectorAdd()), KMeans.all(), LogisticRegression.all(), Vision.all()).flatMap(List::stream)
        .collect(toUnmodifiableMap(Accelerator::name, identity()));

    private static final List<String> MANIFESTS = List.of(
        "vector/bitstream.json",
        "kmeans/dense-single.json",
        "kmeans/dense-double.json",
        "kmeans/sparse-single.json",
        "kmeans/sparse-double.json",
        "logistic/dense-single.json",
        "logistic/dense-double.json",
        "logistic/sparse-single.json",
        "logistic/sparse-double.json",
        "vision/bitstream.json"
    );

    private Catalogue() { }

    /** By {@link Accelerator#name()}. */
    public static Map<String, Accelerator> all() {
        return ACCELERATORS;
    }

    /**
     * Manifests of the built-in bitstreams: class-path resources relative to this class. Their sources lie beside
     * them or, where several share one, beside this class.
     */
    public static List<String> manifests() {
        return MANIFESTS;
    }
}
