package com.inaccel.coral.accelerators;

/** From a row's margins to its loss and its part of the gradient: the twin, to the bit, of {@code link.cl}. */
final class Link {
    private static final double LEAST_EXPONENT = -708;
    private static final double LOG2_E = 0x1.71547652b82fep0;
    /** The upper half ends in zeros, so that multiples of it are exact. */
    private static final double LN2_UPPER = 0x1.62e42fee00000p-1;
    private static final double LN2_LOWER = 0x1.a39ef35793c76p-33;
    /** Added, it leaves a double's nearest integer, biased as an exponent is, in the lowest bits. */
    private static final double ROUND = 0x1.8p52 + 1023;
    private static final long SQRT_HALF_BITS = 0x3fe6a09e667f3bcdL;
    private static final int MANTISSA_BITS = 52;

    private Link() { }

    /** e to a power from {@value #LEAST_EXPONENT} to 0, where what lies below counts as {@value #LEAST_EXPONENT}. */
    static double exp(double power) {
        double x = power < LEAST_EXPONENT ? LEAST_EXPONENT : power;
        double rounded = Math.fma(x, LOG2_E, ROUND);
        double k = rounded - ROUND;
        double r = Math.fma(k, -LN2_LOWER, Math.fma(k, -LN2_UPPER, x));
        double q = 0x1.af38a9b0ec855p-26;
        q = Math.fma(q, r, 0x1.289185613a3d6p-22);
        q = Math.fma(q, r, 0x1.71de0dae63bb3p-19);
        q = Math.fma(q, r, 0x1.a019b90d2ae7ap-16);
        q = Math.fma(q, r, 0x1.a01a01a7c41d5p-13);
        q = Math.fma(q, r, 0x1.6c16c1788bd90p-10);
        q = Math.fma(q, r, 0x1.11111111109b3p-7);
        q = Math.fma(q, r, 0x1.5555555553d63p-5);
        q = Math.fma(q, r, 0x1.5555555555556p-3);
        q = Math.fma(q, r, 0x1.0000000000001p-1);
        return (Math.fma(r * r, q, r) + 1) * Double.longBitsToDouble(Double.doubleToRawLongBits(rounded) << MANTISSA_BITS);
    }

    /** Twice the inverse hyperbolic tangent of at most 1/3. */
    private static double twiceArtanh(double s) {
        double u = s * s;
        double q = 0x1.4b0a26c5f2aefp-3;
        q = Math.fma(q, u, 0x1.687a6e7c95176p-4);
        q = Math.fma(q, u, 0x1.eb905e8575054p-4);
        q = Math.fma(q, u, 0x1.10ac75dc602b1p-3);
        q = Math.fma(q, u, 0x1.3b18b294bebf9p-3);
        q = Math.fma(q, u, 0x1.745cf0b0e03bdp-3);
        q = Math.fma(q, u, 0x1.c71c727143318p-3);
        q = Math.fma(q, u, 0x1.24924923d44c6p-2);
        q = Math.fma(q, u, 0x1.999999999a3ddp-2);
        q = Math.fma(q, u, 0x1.5555555555555p-1);
        return Math.fma(u * s, q, s + s);
    }

    /** log(1 + x) for x from 0 to 1. */
    static double log1p(double x) {
        return twiceArtanh(x / (2 + x));
    }

    /** For finite x of at least 1; NaN for NaN. */
    static double log(double x) {
        long bits = Double.doubleToRawLongBits(x);
        long exponent = (bits - SQRT_HALF_BITS) >>> MANTISSA_BITS;
        double k = (double) exponent;
        double f = Double.longBitsToDouble(bits - (exponent << MANTISSA_BITS));
        double log = Math.fma(k, LN2_UPPER, Math.fma(k, LN2_LOWER, twiceArtanh((f - 1) / (f + 1))));
        return Double.isNaN(x) ? x : log;
    }

    /** @return the loss; the model's margin becomes its multiplier */
    static double binomial(double[] margins, int model, int label, double weight) {
        boolean positive = label == 1;
        double z = positive ? -margins[model] : margins[model];
        double e = exp(-Math.abs(z));
        double part = weight * ((z >= 0 ? 1 : e) / (1 + e));
        margins[model] = positive ? -part : part;
        return label == 0 || positive ? weight * ((z > 0 ? z : 0) + log1p(e)) : Double.NaN;
    }

    /** @return the loss; the model's margins, from {@code from} on, become its multipliers */
    static double multinomial(double[] margins, int from, int classes, int label, double weight) {
        double max = margins[from];
        double own = Double.NaN;
        for (int c = 0; c < classes; c++) {
            double margin = margins[from + c];
            max = margin > max ? margin : max;
            own = c == label ? margin : own;
        }
        double sum = 0;
        for (int c = 0; c < classes; c++) {
            margins[from + c] = exp(margins[from + c] - max);
            sum += margins[from + c];
        }
        double inverse = 1 / sum;
        for (int c = 0; c < classes; c++) {
            margins[from + c] = weight * Math.fma(margins[from + c], inverse, c == label ? -1 : 0);
        }
        return weight * (log(sum) - (own - max));
    }
}
