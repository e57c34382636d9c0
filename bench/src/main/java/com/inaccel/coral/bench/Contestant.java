package com.inaccel.coral.bench;

import java.util.Map;

/** Somebody who clusters the workload when told to: loaded and warmed up when it is handed out, idle between fits. */
interface Contestant extends AutoCloseable {
    String name();

    /** What it runs on, for the table's foot and the JSON: versions, precision, BLAS, device, heap. */
    Map<String, String> about();

    /** One whole fit; only the fit itself is timed. */
    Outcome fit();

    @Override
    void close();

    /**
     * What came of a fit.
     *
     * @param iterations how many ran
     * @param details measurements of the contestant's own, e.g. bytes shipped
     */
    record Outcome(double seconds, int iterations, double[][] centers, Map<String, Double> details) { }
}
