package com.inaccel.coral;

/**
 * What {@link Accelerators#logisticRegression} found.
 *
 * @param coefficients one row of d for two classes, of whose second it is the margin; else one for each class
 * @param intercepts one a row
 * @param objective what was minimized: the mean loss and the penalty
 * @param iterations of L-BFGS
 * @param converged whether it stopped by the tolerance, not by the limit on iterations
 * @param run what it took on devices
 */
public record LogisticModel(double[][] coefficients, double[] intercepts, double objective, int iterations, boolean converged,
        Run run) {
    /**
     * The most probable class.
     *
     * @param features d numbers
     */
    public int predict(double... features) {
        int best = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < coefficients.length; c++) {
            double margin = intercepts[c];
            for (int t = 0; t < coefficients[c].length; t++) {
                margin += coefficients[c][t] * features[t];
            }
            if (coefficients.length == 1) {
                return margin > 0 ? 1 : 0;
            }
            if (margin > most) {
                most = margin;
                best = c;
            }
        }
        return best;
    }
}
