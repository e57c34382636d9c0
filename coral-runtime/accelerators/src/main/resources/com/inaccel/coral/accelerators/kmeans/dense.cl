// KMeans over dense rows: which center is nearest to each row, and what that adds to the next centers.
//
// THE CONTRACT (its Java twin gives the same bits)
//   D(x, c)    a[0..7] = 0; for t = 0..d-1: e = (double) x[t] - c[t]; a[t % 8] += e * e;
//              D = ((a0+a4) + (a2+a6)) + ((a1+a5) + (a3+a7)), all in double
//   label(x)   the j of the least D(x, c_j), the lowest such j; a NaN never wins; 0 when none wins
//   sums       rows are cut into blocks of blockRows rows; within a block, in ascending row order,
//              sums[label][t] += w * x[t], weightSums[label] += w, cost += w * D (w = 1 without weights);
//              blocks are then added in ascending order (reduce)
//
// THE SCREEN
// Taken literally that is three double operations for each of n*k*d terms. Yet to know *which* center is nearest takes
// far less than to know how far it is. So a row's centers are first compared in float by the score
//   s_j = xf . cf_j - h_j,   xf = float(x - m),  cf_j = float(c_j - m),  h_j = float(|c_j - m|^2 / 2)
// (|x - c_j|^2 = |x - m|^2 - 2 s_j: the greatest score is the least distance). The shift m is a float-valued mean of some
// centers, so that data far from the origin does not cancel. When the best score leads the second by more than rounding
// can explain, its label is proven equal to the contract's; otherwise the centers that can still win are compared by D.
// So results never depend on the screen, only speed does: one float FMA a term, 16 rows a vector.
//
// The bound. u = 2^-24, X = x - m and C = c_j - m exactly, |.| Euclidean. Four things separate s_j from S_j = X.C - |C|^2/2:
//   - conversion of x and c: each coordinate is off by at most u (1 + 2^-28) relative, so by Cauchy-Schwarz the dot
//     product is off by at most 2.001 u |X||C|;
//   - rounding of h_j, computed in double: 1.001 u |C|^2/2;
//   - a chain of d FMAs from -h_j: at most g (h_j + sum |xf_t cf_t|) <= g (h_j + |xf||cf|), g = d u / (1 - d u);
//   - underflow, also where denormals are flushed: 2^-126 for each product, sum or coordinate, the latter times |X| or |C|.
// Besides, the contract compares not D but its rounded value: off by (d/8 + 6) 2^-53 relative, and D/2 <= |X|^2 + |C|^2.
// Together |s_j - S_j| + rounding of D/2 <= E_j with
//   E_j = 1.02 (d + 8) u (h_j + |xf||cf_j|) + (d + 16) 2^-52 |xf|^2 + d 2^-124 (1 + |xf| + |cf_j|)
// where 1.02 also pays for computing |xf|, |cf_j| and E_j itself in float, as long as d u < 0.008. The first test takes
// the largest h and |c| for all centers; only rows that fail it look at each E_j. Infinities and NaN, in rows or centers,
// and magnitudes near overflow make E infinite or NaN, and every comparison is written so that this means "not proven".

#define GROUP 32    // rows screened at once: two vectors of 16 lanes
#define TILE 8      // centers packed side by side
#define STRIPE 128  // columns of all rows of a group summed before the next ones: they, their centers and sums fit L1
#define PENDING 128  // candidates gathered before they are compared: gathering takes no branch, comparing few wrong ones
#define MEANS 16    // centers that take part in the shift
#define UNIT 5.9604644775390625e-8f      // 2^-24
#define UNIT_DOUBLE 2.220446049250313e-16f    // 2^-52
#define UNDERFLOW 4.70197740328915e-38f  // 2^-124
#define OVERFLOW 1e37f
#define MAX_SCREENED 131072              // columns for which d * 2^-24 < 0.008

// Columns of a padded row: whole vectors of 8 doubles.
#define PADDED(d) (((d) + 7) / 8 * 8)

// Doubles of one block's partial: sums, weight sums, cost, rounded up to whole vectors.
#define PARTIAL(k, d) ((long) (k) * PADDED(d) + PADDED((k) + 1))

// Scratch floats of one block: the group's columns, then its scores.
#define SCRATCH(k, d) ((long) GROUP * ((d) + (k)))

// Scratch, partials and padded centers are whole vectors, aligned; features are neither.
#define COLUMNS(p) ((__global float16*) (p))
#define DOUBLES(p) ((__global double8*) (p))
#define CENTER(p) ((__global const double8*) (p))

// Prepares the centers of one tile. Global size: ceil(k / TILE).
//   padded  double[k][PADDED(d)]              the centers, zeros behind each
//   packed  float[ceil(k / TILE)][d][TILE]    cf
//   half    float[k]                          h; infinity when the center cannot be screened
//   norm    float[k]                          |cf|, rounded up; infinity when the center cannot be screened
//   mean    REAL[d]                           m
SERIAL void center_pack(__global const double* restrict centers, __global double* restrict padded,
    __global float* restrict packed, __global float* restrict half_, __global float* restrict norm,
    __global REAL* restrict mean, const int k, const int d)
{
    const int tile = get_global_id(0);
    const int from = tile * TILE;
    const int width = min(TILE, k - from);
    const int samples = min(k, MEANS);
    const long stride = PADDED(d);
    __global float* cells = packed + (long) tile * d * TILE;
    double squares[TILE];

    for (int j = 0; j < TILE; j++)
        squares[j] = 0;
    for (int t = 0; t < d; t++) {
        double sum = 0;
        for (int i = 0; i < samples; i++)
            sum += centers[(long) i * k / samples * d + t];
        const float rounded = (float) (sum / samples);
        const float m = fabs(rounded) < OVERFLOW ? rounded : 0;
        if (tile == 0)
            mean[t] = m;
        for (int j = 0; j < width; j++) {
            const double c = centers[(long) (from + j) * d + t];
            const double shifted = c - m;
            padded[(from + j) * stride + t] = c;
            cells[(long) t * TILE + j] = (float) shifted;
            squares[j] += shifted * shifted;
        }
    }
    for (int j = 0; j < width; j++) {
        const bool screened = squares[j] < OVERFLOW && d < MAX_SCREENED;
        half_[from + j] = screened ? (float) (squares[j] / 2) : INFINITY;
        norm[from + j] = screened ? (float) (sqrt(squares[j]) * 1.0001) : INFINITY;
        for (int t = d; t < stride; t++)
            padded[(from + j) * stride + t] = 0;
    }
}

// The first 8 or fewer columns from x[t]; zeros for columns >= d. Reading past a row is reading the next one, except at
// the end of the features.
INLINE double8 columns(__global const REAL* x, const int t, const int d, __global const REAL* end)
{
    const long8 lane = (long8)(0, 1, 2, 3, 4, 5, 6, 7);
    if (x + t + 8 <= end)
        return select((double8)(0), convert_double8(vload8(0, x + t)), lane < (long8)(d - t));
    double v[8];
    for (int l = 0; l < 8; l++)
        v[l] = t + l < d ? x[t + l] : 0;
    return vload8(0, v);
}

INLINE double lanes_sum(const double8 a)
{
    const double4 b = a.lo + a.hi;
    const double2 c = b.lo + b.hi;
    return c.x + c.y;
}

// The same for 8 of them at once.
INLINE double8 lanes_sums(const double8* a)
{
    const double8 b0 = (double8)(a[0].lo, a[1].lo) + (double8)(a[0].hi, a[1].hi);
    const double8 b1 = (double8)(a[2].lo, a[3].lo) + (double8)(a[2].hi, a[3].hi);
    const double8 b2 = (double8)(a[4].lo, a[5].lo) + (double8)(a[4].hi, a[5].hi);
    const double8 b3 = (double8)(a[6].lo, a[7].lo) + (double8)(a[6].hi, a[7].hi);
    const double8 c0 = (double8)(b0.s01, b0.s45, b1.s01, b1.s45) + (double8)(b0.s23, b0.s67, b1.s23, b1.s67);
    const double8 c1 = (double8)(b2.s01, b2.s45, b3.s01, b3.s45) + (double8)(b2.s23, b2.s67, b3.s23, b3.s67);
    return (double8)(c0.even, c1.even) + (double8)(c0.odd, c1.odd);
}

INLINE double square_distance(__global const REAL* x, __global const double* center, const int d,
    __global const REAL* end)
{
    double8 a = 0;
    int t = 0;
    for (; t + 8 <= d; t += 8) {
        const double8 e = convert_double8(vload8(0, x + t)) - CENTER(center + t)[0];
        a += e * e;
    }
    if (t < d) {
        const double8 e = columns(x, t, d, end) - CENTER(center + t)[0];
        a += e * e;
    }
    return lanes_sum(a);
}

// Shuffles that a vector unit has as one instruction, so spelled that a compiler finds it. In each 128-bit lane: the lower
// (upper) halves of a and b interleaved, by elements or by pairs; of all lanes: the even (odd) ones of a, then of b.
#ifdef __clang__
#define SHUFFLE(a, b, i0, i1, i2, i3, step) __builtin_shufflevector(a, b, i0, i1, i2, i3, i0 + step, i1 + step, \
    i2 + step, i3 + step, i0 + 2 * step, i1 + 2 * step, i2 + 2 * step, i3 + 2 * step, i0 + 3 * step, i1 + 3 * step, \
    i2 + 3 * step, i3 + 3 * step)
#define LOWER(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 4)
#define UPPER(a, b) SHUFFLE(a, b, 2, 18, 3, 19, 4)
#define LOWER_PAIRS(a, b) SHUFFLE(a, b, 0, 1, 16, 17, 4)
#define UPPER_PAIRS(a, b) SHUFFLE(a, b, 2, 3, 18, 19, 4)
#define EVEN_LANES(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8)
#define ODD_LANES(a, b) SHUFFLE(a, b, 4, 5, 6, 7, 8)
#else
#define LOWER(a, b) (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, \
    a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, a.sd, b.sd)
#define UPPER(a, b) (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, \
    a.sa, b.sa, a.sb, b.sb, a.se, b.se, a.sf, b.sf)
#define LOWER_PAIRS(a, b) (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)
#define UPPER_PAIRS(a, b) (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)
#define EVEN_LANES(a, b) (float16)(a.s0123, a.s89ab, b.s0123, b.s89ab)
#define ODD_LANES(a, b) (float16)(a.s4567, a.scdef, b.s4567, b.scdef)
#endif

#define ROW8(row) vload8(0, x + (long) (row) * d + t)
#define SHIFTED_PAIR(low, high) convert_float16((CAT(REAL, 16))(ROW8(low), ROW8(high)) - m)
#define SHIFTED(row) ((float) (x[(long) (row) * d + t] - m))
#define COLUMN(i, v) { \
    const float16 value = v; \
    column[2 * (i)] = value; \
    if (t + i >= done) \
        squares = fma(value, value, squares); \
}

// Shifts 16 rows to floats and stores them by columns, one every GROUP floats. Returns |xf|^2 of each row.
INLINE float16 transpose16(__global const REAL* x, __global const REAL* mean, __global float16* columns, const int d)
{
    float16 squares = 0;

    for (int done = 0; done < d && d >= 8; done += 8) {
        // The last 8 columns may overlap those before.
        const int t = min(done, d - 8);
        const CAT(REAL, 8) m8 = vload8(0, mean + t);
        const CAT(REAL, 16) m = (CAT(REAL, 16))(m8, m8);
        __global float16* column = columns + 2L * t;
        const float16 r0 = SHIFTED_PAIR(0, 4), r1 = SHIFTED_PAIR(1, 5);
        const float16 r2 = SHIFTED_PAIR(2, 6), r3 = SHIFTED_PAIR(3, 7);
        const float16 r4 = SHIFTED_PAIR(8, 12), r5 = SHIFTED_PAIR(9, 13);
        const float16 r6 = SHIFTED_PAIR(10, 14), r7 = SHIFTED_PAIR(11, 15);
        const float16 a0 = LOWER(r0, r1), a1 = UPPER(r0, r1), a2 = LOWER(r2, r3), a3 = UPPER(r2, r3);
        const float16 b0 = LOWER(r4, r5), b1 = UPPER(r4, r5), b2 = LOWER(r6, r7), b3 = UPPER(r6, r7);
        const float16 p0 = LOWER_PAIRS(a0, a2), p1 = UPPER_PAIRS(a0, a2), p2 = LOWER_PAIRS(a1, a3), p3 = UPPER_PAIRS(a1, a3);
        const float16 q0 = LOWER_PAIRS(b0, b2), q1 = UPPER_PAIRS(b0, b2), q2 = LOWER_PAIRS(b1, b3), q3 = UPPER_PAIRS(b1, b3);
        COLUMN(0, EVEN_LANES(p0, q0))
        COLUMN(1, EVEN_LANES(p1, q1))
        COLUMN(2, EVEN_LANES(p2, q2))
        COLUMN(3, EVEN_LANES(p3, q3))
        COLUMN(4, ODD_LANES(p0, q0))
        COLUMN(5, ODD_LANES(p1, q1))
        COLUMN(6, ODD_LANES(p2, q2))
        COLUMN(7, ODD_LANES(p3, q3))
    }
    for (int t = 0; t < d && d < 8; t++) {
        const REAL m = mean[t];
        const float16 v = (float16)(SHIFTED(0), SHIFTED(1), SHIFTED(2), SHIFTED(3), SHIFTED(4), SHIFTED(5),
            SHIFTED(6), SHIFTED(7), SHIFTED(8), SHIFTED(9), SHIFTED(10), SHIFTED(11), SHIFTED(12), SHIFTED(13),
            SHIFTED(14), SHIFTED(15));
        columns[2L * t] = v;
        squares = fma(v, v, squares);
    }
    return squares;
}

// The same for a group that is not full: the last row stands in for the missing ones.
INLINE void transpose_few(__global const REAL* x, __global const REAL* mean, __global float* xt, const int d,
    const int rows, float16* squares0, float16* squares1)
{
    for (int r = 0; r < GROUP; r++) {
        __global const REAL* row = x + (long) min(r, rows - 1) * d;
        for (int t = 0; t < d; t++)
            xt[(long) t * GROUP + r] = (float) (row[t] - mean[t]);
    }
    *squares0 = 0;
    *squares1 = 0;
    for (int t = 0; t < d; t++) {
        const float16 v0 = COLUMNS(xt)[2L * t];
        const float16 v1 = COLUMNS(xt)[2L * t + 1];
        *squares0 = fma(v0, v0, *squares0);
        *squares1 = fma(v1, v1, *squares1);
    }
}

// Scores of 32 rows against 8, 4, 2 or 1 centers: v<j> for rows 0..15, w<j> for rows 16..31.
#define START(j) float16 v##j = (float16)(-h[j]), w##j = v##j;
#define STEP(j) v##j = fma((float16)(c[j]), x0, v##j); w##j = fma((float16)(c[j]), x1, w##j);
#define FINISH(j) \
    score[2 * j] = v##j; \
    score[2 * j + 1] = w##j; \
    second0 = max_of(second0, min_of(v##j, best0)); \
    second1 = max_of(second1, min_of(w##j, best1)); \
    index0 = v##j > best0 ? (int16)(from + j) : index0; \
    index1 = w##j > best1 ? (int16)(from + j) : index1; \
    best0 = max_of(v##j, best0); \
    best1 = max_of(w##j, best1);
#define TILE1(F) F(0)
#define TILE2(F) TILE1(F) F(1)
#define TILE4(F) TILE2(F) F(2) F(3)
#define TILE8(F) TILE4(F) F(4) F(5) F(6) F(7)
#define max_of(a, b) ((a) > (b) ? (a) : (b))
#define min_of(a, b) ((a) < (b) ? (a) : (b))

#define SCREEN(CENTERS, width) { \
    __global const float* c = packed + ((long) (from / TILE) * d * TILE + from % TILE); \
    __global const float* h = half_ + from; \
    __global const float16* x = COLUMNS(xt); \
    __global float16* score = COLUMNS(scores) + 2L * from; \
    CENTERS(START) \
    for (int t = 0; t < d; t++, c += TILE) { \
        const float16 x0 = x[2L * t], x1 = x[2L * t + 1]; \
        CENTERS(STEP) \
        if (!from) \
            for (int b = 0; b < ahead; b += 64 / sizeof(REAL)) \
                PREFETCH(next + (long) t * ahead + b); \
    } \
    CENTERS(FINISH) \
    from += width; \
}

// What the screen says of a group: per row the best score, the second best, and whose the best is. All scores are kept
// too, at scores[j * GROUP + row], for the rows on which this does not suffice.
//
// Meanwhile the rows of the next group are fetched: each step of the first tile asks for 1/d of them, or of half of them
// when rows are long; the other half is then asked for while this group is summed.
INLINE void screen(__global const REAL* next, __global const float* restrict xt, __global float* restrict scores,
    __global const float* restrict packed, __global const float* restrict half_, const int k, const int d,
    float16* best, float16* second, int16* index)
{
    float16 best0 = -INFINITY, best1 = -INFINITY, second0 = -INFINITY, second1 = -INFINITY;
    int16 index0 = 0, index1 = 0;
    const int ahead = d > STRIPE ? GROUP / 2 : GROUP;
    int from = 0;

    while (from + 8 <= k)
        SCREEN(TILE8, 8)
    if (from + 4 <= k)
        SCREEN(TILE4, 4)
    if (from + 2 <= k)
        SCREEN(TILE2, 2)
    if (from < k)
        SCREEN(TILE1, 1)
    best[0] = best0;
    best[1] = best1;
    second[0] = second0;
    second[1] = second1;
    index[0] = index0;
    index[1] = index1;
}

INLINE float16 error_bound(const float16 squares, const float16 half_, const float16 norm, const int d)
{
    const float16 length = sqrt(squares + d * UNDERFLOW);
    const float16 size = length * norm + half_;
    const float16 bound = size * (1.02f * (d + 8) * UNIT) + squares * ((d + 16) * UNIT_DOUBLE)
        + (length + (1 + norm)) * (d * UNDERFLOW);
    return size < OVERFLOW ? bound : (float16)(INFINITY);
}

// Rows marked in `open` are not decided by the screen: sets their labels by D, computed for those centers which, each with
// its own error bound, can still be nearest.
INLINE void recheck(__global const REAL* x, __global const REAL* end, __global const double* padded,
    __global const float* half_, __global const float* norm, __global const float* scores,
    const int k, const int d, const float16 squares, const float16 best, const int16 open, int* label)
{
    float halves[16], norms[16];
    double least[16];
    int pending[PENDING + 16 + 1];
    int count = 0;

    for (int r = 0; r < 16; r++) {
        halves[r] = half_[label[r]];
        norms[r] = norm[label[r]];
        least[r] = INFINITY;
    }
    const float16 bar = best - error_bound(squares, vload16(0, halves), vload16(0, norms), d);
    vstore16(vload16(0, label) | open, 0, label);
    for (int j = 0; j < k; j++) {
        const float16 reach = COLUMNS(scores)[2L * j] + error_bound(squares, (float16)(half_[j]), (float16)(norm[j]), d);
        const int16 candidates = ~(reach < bar) & open;
        if (any(candidates)) {
            int candidate[16];
            vstore16(candidates, 0, candidate);
            for (int r = 0; r < 16; r++) {
                pending[count] = j * 16 + r;
                count -= candidate[r];
            }
        }
        if (count > PENDING || j == k - 1) {
            for (int p = 0; p < count; p++) {
                const int r = pending[p] % 16;
                const int c = pending[p] / 16;
                const double distance = square_distance(x + (long) r * d, padded + (long) c * PADDED(d), d, end);
                if (distance < least[r] || (label[r] < 0 && distance == distance)) {
                    least[r] = distance;
                    label[r] = c;
                }
            }
            count = 0;
        }
    }
    for (int r = 0; r < 16; r++)
        label[r] = max(label[r], 0);
}

// Labels one group of rows, 1 to GROUP of them. `ceiling` (may be null): no label is needed, and -1 is given, where D
// certainly exceeds it.
INLINE void label_group(__global const REAL* restrict x, __global const REAL* end, const int rows,
    __global const REAL* restrict mean, __global const double* restrict padded, __global const float* restrict packed,
    __global const float* restrict half_, __global const float* restrict norm, __global float* restrict scratch,
    const int k, const int d, const float halfMax, const float normMax, const float* ceiling, int* label)
{
    __global float* xt = scratch;
    __global float* scores = scratch + (long) GROUP * d;
    float16 squares[2], best[2], second[2];
    int16 index[2];

    if (rows == GROUP) {
        squares[0] = transpose16(x, mean, COLUMNS(xt), d);
        squares[1] = transpose16(x + 16L * d, mean, COLUMNS(xt) + 1, d);
    } else {
        transpose_few(x, mean, xt, d, rows, &squares[0], &squares[1]);
    }
    screen(x + (long) GROUP * d, xt, scores, packed, half_, k, d, best, second, index);
    for (int v = 0; v < 2; v++) {
        const int16 present = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) + 16 * v < (int16)(rows);
        const float16 error = error_bound(squares[v], (float16)(halfMax), (float16)(normMax), d);
        int16 open = ~(best[v] - second[v] > 2 * error) & present;
        int16 useless = 0;
        if (ceiling) {
            // |x - m|^2 is known to (d + 3) u, the rest to E; rounding of this very line is in the slack of both.
            const float16 slack = 2 * error + squares[v] * (1.02f * (d + 8) * UNIT);
            useless = squares[v] - 2 * best[v] - slack > vload16(v, ceiling);
            open &= ~useless;
        }
        vstore16(index[v], v, label);
        if (any(open))
            recheck(x + 16L * v * d, end, padded, half_, norm, scores + 16 * v, k, d, squares[v], best[v], open,
                label + 16 * v);
        if (ceiling)
            vstore16(vload16(v, label) | useless, v, label);
    }
}

// Labels the rows of one block and adds them up. Global size: ceil(n / blockRows).
//   scratch   float[blocks][SCRATCH(k, d)]
//   partials  double[blocks][PARTIAL(k, d)]: [sums: k rows of PADDED(d) | weight sums: k | cost | padding]
SERIAL void assign(__global const REAL* restrict features, __global const double* restrict weights,
    __global const double* restrict padded, __global const float* restrict packed, __global const float* restrict half_,
    __global const float* restrict norm, __global const REAL* restrict mean, __global float* restrict scratch,
    __global double* restrict partials, const int n, const int d, const int k, const int blockRows,
    const int hasWeights)
{
    const int block = get_global_id(0);
    const int begin = block * blockRows;
    const int end = (int) min((long) n, (long) begin + blockRows);
    const int stride = PADDED(d);
    __global const REAL* last = features + (long) n * d;
    __global float* own = scratch + block * SCRATCH(k, d);
    __global double* sums = partials + block * PARTIAL(k, d);
    __global double* weightSums = sums + (long) k * stride;
    double cost = 0;
    float halfMax = 0, normMax = 0;

    for (long e = 0; e < PARTIAL(k, d); e += 8)
        DOUBLES(sums + e)[0] = 0;
    for (int j = 0; j < k; j++) {
        halfMax = max_of(half_[j], halfMax);
        normMax = max_of(norm[j], normMax);
    }
    for (int i = begin; i < end; i += GROUP) {
        const int rows = min(GROUP, end - i);
        int label[GROUP];
        double8 lanes[GROUP];
        double distance[GROUP], weight[GROUP];
        label_group(features + (long) i * d, last, rows, mean, padded, packed, half_, norm, own, k, d, halfMax, normMax,
            0, label);
        __global const REAL* rest = features + (long) (i + GROUP + GROUP / 2) * d;
        for (int r = 0; r < GROUP; r++) {
            lanes[r] = 0;
            // A weight of 1 changes no bit.
            weight[r] = hasWeights && r < rows ? weights[i + r] : 1;
        }
        for (int from = 0; from < d; from += STRIPE) {
            const int to = min(d, from + STRIPE);
            for (int r = 0; r < rows; r++) {
                __global const REAL* x = features + (long) (i + r) * d;
                __global const double* center = padded + (long) label[r] * stride;
                __global double* sum = sums + (long) label[r] * stride;
                double8 a = lanes[r];
                int t = from;
                for (; t + 8 <= to; t += 8) {
                    const double8 value = convert_double8(vload8(0, x + t));
                    if (d > STRIPE)
                        PREFETCH(rest + ((long) r * d + t) / 2);
                    const double8 e = value - CENTER(center + t)[0];
                    a += e * e;
                    DOUBLES(sum + t)[0] += weight[r] * value;
                }
                if (t < to) {
                    const double8 value = columns(x, t, d, last);
                    const double8 e = value - CENTER(center + t)[0];
                    a += e * e;
                    DOUBLES(sum + t)[0] += weight[r] * value;
                }
                lanes[r] = a;
            }
        }
        for (int r = 0; r < GROUP; r += 8)
            vstore8(lanes_sums(lanes + r), 0, distance + r);
        for (int r = 0; r < rows; r++) {
            weightSums[label[r]] += weight[r];
            cost += weight[r] * distance[r];
        }
    }
    weightSums[k] = cost;
}

// Lowers each row's distance to that of the nearest of m further centers, numbered from base on, where that is less.
// Global size: ceil(n / blockRows).
//   distances  double[n], labels int[n]: read and written
//   scratch    float[blocks][SCRATCH(m, d)]
SERIAL void nearest(__global const REAL* restrict features, __global const double* restrict padded,
    __global const float* restrict packed, __global const float* restrict half_, __global const float* restrict norm,
    __global const REAL* restrict mean, __global float* restrict scratch, __global double* restrict distances,
    __global int* restrict labels, const int n, const int d, const int m, const int base, const int blockRows)
{
    const int block = get_global_id(0);
    const int begin = block * blockRows;
    const int end = (int) min((long) n, (long) begin + blockRows);
    const int stride = PADDED(d);
    __global const REAL* last = features + (long) n * d;
    __global float* own = scratch + block * SCRATCH(m, d);
    float halfMax = 0, normMax = 0;

    for (int j = 0; j < m; j++) {
        halfMax = max_of(half_[j], halfMax);
        normMax = max_of(norm[j], normMax);
    }
    for (int i = begin; i < end; i += GROUP) {
        const int rows = min(GROUP, end - i);
        float ceiling[GROUP];
        int label[GROUP];
        for (int r = 0; r < GROUP; r++)
            ceiling[r] = r < rows ? (float) distances[i + r] * 1.000001f : 0;
        label_group(features + (long) i * d, last, rows, mean, padded, packed, half_, norm, own, m, d, halfMax, normMax,
            ceiling, label);
        for (int r = 0; r < rows; r++) {
            if (label[r] < 0)
                continue;
            const double found = square_distance(features + (long) (i + r) * d, padded + (long) label[r] * stride, d,
                last);
            if (found < distances[i + r]) {
                distances[i + r] = found;
                labels[i + r] = base + label[r];
            }
        }
    }
}
