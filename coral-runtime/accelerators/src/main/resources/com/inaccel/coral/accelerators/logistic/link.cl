// From margins to losses and multipliers, for the dense and the sparse LogisticRegression kernels.
//
// THE CONTRACT (its Java twin gives the same bits; all in double)
//   columns    a model has `classes` rows of d coefficients and an offset, one row where classes is 1: K = models * classes
//              columns in all. margin_c = x . w_c + offset_c, the product summed as dense.cl and sparse.cl say.
//   binomial   z = -margin when the label is 1, else margin; e = EXP(-|z|);
//              part = weight * ((z >= 0 ? 1 : e) / (1 + e)); multiplier = -part when the label is 1, else part;
//              loss = weight * ((z > 0 ? z : 0) + LOG1P(e)), but NaN when the label is neither 0 nor 1
//   multinomial, for the classes of one model in ascending order
//              max: the first margin, replaced by each that is greater; e_c = EXP(margin_c - max); s = 0, s += e_c;
//              multiplier_c = weight * fma(e_c, 1 / s, c == label ? -1 : 0);
//              loss = weight * (LOG(s) - (margin_label - max)), but NaN when the label is no class
//   sums       rows are cut into blocks of blockRows rows. Within a block: for each column and feature a chain
//              g = fma(multiplier, x[t], g) over ascending rows, from 0; for each column the multipliers, and for each model
//              the losses, a[r % 8] += ..., r the row's place in its block, then ((a0+a4) + (a2+a6)) + ((a1+a5) + (a3+a7));
//              blocks are then added in ascending order (reduce). No column's bits depend on which others there are.
//   EXP, LOG1P, LOG  as below: within 2 ulp
// Sums of margins, where finite features meet large coefficients, may overflow. A margin of -inf or +inf has a multiplier
// (0 or the weight) in a binomial model; in a multinomial one +inf makes loss and multipliers NaN. NaN stays NaN, whatever
// the weight; weight 0 adds exactly 0 otherwise.

#define EACH_ROW (long8)(0, 1, 2, 3, 4, 5, 6, 7)

// Powers from -708 to 0; what lies below counts as -708. The exponent is rounded into a double's lowest bits, biased.
INLINE double8 exp_of(const double8 power)
{
    const double8 x = power < -708.0 ? (double8)(-708.0) : power;
    const double8 bias = 0x1.8p52 + 1023;
    const double8 rounded = fma(x, (double8)(0x1.71547652b82fep0), bias);
    const double8 k = rounded - bias;
    const double8 r = fma(k, (double8)(-0x1.a39ef35793c76p-33), fma(k, (double8)(-0x1.62e42fee00000p-1), x));
    double8 q = 0x1.af38a9b0ec855p-26;
    q = fma(q, r, (double8)(0x1.289185613a3d6p-22));
    q = fma(q, r, (double8)(0x1.71de0dae63bb3p-19));
    q = fma(q, r, (double8)(0x1.a019b90d2ae7ap-16));
    q = fma(q, r, (double8)(0x1.a01a01a7c41d5p-13));
    q = fma(q, r, (double8)(0x1.6c16c1788bd90p-10));
    q = fma(q, r, (double8)(0x1.11111111109b3p-7));
    q = fma(q, r, (double8)(0x1.5555555553d63p-5));
    q = fma(q, r, (double8)(0x1.5555555555556p-3));
    q = fma(q, r, (double8)(0x1.0000000000001p-1));
    return (fma(r * r, q, r) + 1) * as_double8(as_long8(rounded) << 52);
}

// Twice the inverse hyperbolic tangent of at most 1/3.
INLINE double8 twice_artanh(const double8 s)
{
    const double8 u = s * s;
    double8 q = 0x1.4b0a26c5f2aefp-3;
    q = fma(q, u, (double8)(0x1.687a6e7c95176p-4));
    q = fma(q, u, (double8)(0x1.eb905e8575054p-4));
    q = fma(q, u, (double8)(0x1.10ac75dc602b1p-3));
    q = fma(q, u, (double8)(0x1.3b18b294bebf9p-3));
    q = fma(q, u, (double8)(0x1.745cf0b0e03bdp-3));
    q = fma(q, u, (double8)(0x1.c71c727143318p-3));
    q = fma(q, u, (double8)(0x1.24924923d44c6p-2));
    q = fma(q, u, (double8)(0x1.999999999a3ddp-2));
    q = fma(q, u, (double8)(0x1.5555555555555p-1));
    return fma(u * s, q, s + s);
}

// log(1 + x) for x from 0 to 1.
INLINE double8 log1p_of(const double8 x)
{
    return twice_artanh(x / (2 + x));
}

// For finite x of at least 1; NaN for NaN. x = f * 2^k, f around 1; k becomes a double by way of the lowest bits of 2^52.
INLINE double8 log_of(const double8 x)
{
    const ulong8 bits = as_ulong8(x);
    const ulong8 k = (bits - 0x3fe6a09e667f3bcdUL) >> 52;
    const double8 f = as_double8(bits - (k << 52));
    const double8 exponent = as_double8(k | 0x4330000000000000UL) - 0x1p52;
    const double8 log = fma(exponent, (double8)(0x1.62e42fee00000p-1),
        fma(exponent, (double8)(0x1.a39ef35793c76p-33), twice_artanh((f - 1) / (f + 1))));
    return x == x ? log : x;
}

// Eight rows of one binomial model: its margins become multipliers. Returns the losses.
INLINE double8 binomial(__global double* margins, const long8 label, const double8 weight)
{
    const double8 margin = vload8(0, margins);
    const long8 positive = label == 1;
    const double8 z = positive ? -margin : margin;
    const double8 e = exp_of(-fabs(z));
    const double8 part = weight * ((z >= 0 ? (double8)(1) : e) / (1 + e));
    vstore8(positive ? -part : part, 0, margins);
    const double8 loss = weight * ((z > 0 ? z : (double8)(0)) + log1p_of(e));
    return (positive | (label == 0)) ? loss : (double8)(NAN);
}

// Eight rows of one multinomial model; its columns lie `stride` doubles apart.
INLINE double8 multinomial(__global double* margins, const int stride, const int classes, const long8 label,
    const double8 weight)
{
    double8 greatest = vload8(0, margins);
    double8 own = NAN;
    for (int c = 0; c < classes; c++) {
        const double8 margin = vload8(0, margins + (long) c * stride);
        greatest = margin > greatest ? margin : greatest;
        own = label == c ? margin : own;
    }
    double8 sum = 0;
    for (int c = 0; c < classes; c++) {
        const double8 e = exp_of(vload8(0, margins + (long) c * stride) - greatest);
        vstore8(e, 0, margins + (long) c * stride);
        sum += e;
    }
    const double8 inverse = 1 / sum;
    for (int c = 0; c < classes; c++) {
        __global double* p = margins + (long) c * stride;
        vstore8(weight * fma(vload8(0, p), inverse, label == c ? (double8)(-1) : (double8)(0)), 0, p);
    }
    return weight * (log_of(sum) - (own - greatest));
}

// The first of 8 ints, from first on; zeros from last on.
INLINE long8 labels_of(__global const int* labels, const int first, const int last)
{
    if (first + 8 <= last)
        return convert_long8(vload8(0, labels + first));
    long v[8];
    for (int r = 0; r < 8; r++)
        v[r] = first + r < last ? labels[first + r] : 0;
    return vload8(0, v);
}

// Weights of 8 rows, 1 without weights: that changes no bit.
INLINE double8 weights_of(__global const double* weights, const int hasWeights, const int first, const int last)
{
    if (!hasWeights)
        return 1;
    if (first + 8 <= last)
        return vload8(0, weights + first);
    double v[8];
    for (int r = 0; r < 8; r++)
        v[r] = first + r < last ? weights[first + r] : 0;
    return vload8(0, v);
}

// Replaces the margins of rows first..last-1 by multipliers, and adds these and the losses up.
//   margins  double[columns][stride], row `first` at index 0 of each; up to 7 behind the last row are overwritten
//   lanes    double[columns + models][8]: sums of multipliers, then of losses
INLINE void link(__global double* margins, const int stride, __global double* lanes, __global const int* labels,
    __global const double* weights, const int hasWeights, const int first, const int last, const int classes,
    const int models)
{
    const int columns = classes * models;

    for (int i = first; i < last; i += 8) {
        const long8 label = labels_of(labels, i, last);
        const double8 weight = weights_of(weights, hasWeights, i, last);
        const long8 present = EACH_ROW < last - i;
        __global double* at = margins + (i - first);
        for (int model = 0; model < models; model++) {
            __global double* own = at + (long) model * classes * stride;
            __global double* loss = lanes + 8L * (columns + model);
            const double8 losses = classes == 1
                ? binomial(own, label, weight) : multinomial(own, stride, classes, label, weight);
            vstore8(vload8(0, loss) + (present ? losses : (double8)(0)), 0, loss);
        }
        for (int c = 0; c < columns; c++) {
            const double8 multiplier = vload8(0, at + (long) c * stride);
            vstore8(vload8(c, lanes) + (present ? multiplier : (double8)(0)), c, lanes);
        }
    }
}
