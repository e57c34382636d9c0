package com.inaccel.coral.bench;

import java.util.Map;

/** Somebody who fits the workload when told to: loaded and warmed up when it is handed out, idle between fits. */
interface Contestant extends AutoCloseable {
    String name();

    /** What it runs on, for the table's foot and the JSON: versions, precision, BLAS, device, heap. */
    Map<String, String> about();

    /** One whole fit; only the fit itself is timed. */
    Outcome fit(Order order);

    @Override
    void close();

    /**
     * What to do.
     *
     * @param iterations at most
     * @param models how many models to fit at once, one for each of as many parameter maps
     */
    record Order(int iterations, int models) { }

    /**
     * What came of a fit.
     *
     * @param iterations how many ran, over all models
     * @param models the numbers of each model in the order that its workload says; none from who fits no whole model
     * @param details measurements of the contestant's own, e.g. bytes shipped
     */
    record Outcome(double seconds, int iterations, double[][] models, Map<String, Double> details) { }
}
