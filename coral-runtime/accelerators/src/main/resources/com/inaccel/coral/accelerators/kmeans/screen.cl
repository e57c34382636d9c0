// Which center is nearest to each row, for nearly all rows. The host puts this text in front of dense.cl, whose head
// says what D and label mean.
//
// THE SCREEN
// Taken literally the contract is three double operations for each of n*k*d terms. Yet to know *which* center is
// nearest takes far less than to know how far it is. So a row's centers are first compared in float by the score
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
//
// FIXED POINT
// Where a vector unit multiplies pairs of 16-bit integers, a group of rows is first screened in these, in little more
// than half the time. With floats a, for the group, and g, for the block,
//   g = N / max |cf_j|,  a = N / max(greatest |xf|, max |cf_j| / 2),  N = 32000
//   X_t and C_t are a xf_t and g cf_t rounded to nearest, H_j is a g h_j cut off, and the score is X.C_j - H_j
// Range: |xf| is known to 0.5 %, so a |xf| <= 1.005 N, g |cf_j| <= N, H_j <= N^2. Coordinates fit 16 bits; the score, at
// most (1.005 N + sqrt(d)/2)^2 + N^2 < 2.08e9, fits 32 bits. Sums on the way to it may wrap around: they wrap back.
// Error: a coordinate moves by at most 1/2, so X.C_j is off by at most (a |xf| + g |cf_j|) sqrt(d)/2 + d/4, and H_j by 1
// besides its float arithmetic. Of the score only the upper 16 bits are kept, rounded. In scores, where the unit of these
// 16 bits is 2^16 / (a g), the bound is therefore
//   E_j + unit (1/2 + (1.01 N sqrt(d) + d + 2) / 2^16)
// No chain of float sums is left: its share d u of E_j pays for the few roundings of H_j, of the unit and of its products
// (7 u at most, and d >= FIXED_COLUMNS). FIXED_RANGE keeps all magnitudes far from overflow and underflow.
// That is some 40 times E_j (d = 64), yet of most data it leaves one row in a hundred open. A group with more than a few
// such rows is screened again in float, and a block with several such groups (think of columns that differ a
// thousandfold) stays with float.

#define GROUP 32    // rows screened at once: two vectors of 16 lanes
#define TILE 8      // centers packed side by side
#define STRIPE 128  // columns of all rows of a group summed before the next ones: they, their centers and sums fit L1
#define UNIT 5.9604644775390625e-8f      // 2^-24
#define UNIT_DOUBLE 2.220446049250313e-16f    // 2^-52
#define UNDERFLOW 4.70197740328915e-38f  // 2^-124
#define OVERFLOW 1e37f
#define MAX_SCREENED 131072              // columns for which d * 2^-24 < 0.008

#if defined(__clang__) && defined(__AVX512BW__)
#define HAS_FIXED
#endif

// Said of fixed point although it is not so: work on few centers, which does without, feels each instruction.
#ifdef __clang__
#define SELDOM(condition) __builtin_expect(condition, 0)
#else
#define SELDOM(condition) (condition)
#endif

#define FIXED_LENGTH 32000.0f    // N
#define FIXED_CUT 65536.0f       // by what scores are divided to keep their upper 16 bits
#define FIXED_RANGE 1e9f         // greatest length of centers and rows; its inverse is the least one of centers
#define FIXED_CENTERS 24         // with fewer centers or columns than these, preparing the rows costs what is won
#define FIXED_COLUMNS 8
#define FIXED_OPEN 8             // rows of a group that may be left open
#define FIXED_MISSES 2           // groups of a block in which more may, before the block stays with float
#define FIXED_ERROR(d) (0.5f + (1.01f * FIXED_LENGTH * sqrt((float) (d)) + (d) + 2) / FIXED_CUT)

// Pairs of columns, the last one filled up with zeros.
#define PAIRS(d) (((d) + 1) / 2)

// Centers rounded up to whole vectors.
#define WHOLE(k) (((k) + 15) / 16 * 16)

// Scratch floats of one block: the group's columns, and its scores in either kind of number; then in fixed point: the
// group's columns by pairs, those of the centers, g h, and H.
#define SCRATCH(k, d) ((long) GROUP * ((d) + (k) + PAIRS(d)) + (long) WHOLE(k) * (PAIRS(d) + 2))
#define SCORES(scratch, d) ((scratch) + (long) GROUP * (d))
#define FIXED_ROWS(scratch, k, d) (SCORES(scratch, d) + (long) GROUP * (k))
#define FIXED_PACKED(scratch, k, d) (FIXED_ROWS(scratch, k, d) + (long) GROUP * PAIRS(d))
#define FIXED_HALVES(scratch, k, d) (FIXED_PACKED(scratch, k, d) + (long) WHOLE(k) * PAIRS(d))

// Scratch is whole vectors, aligned.
#define COLUMNS(p) ((__global float16*) (p))
#define INTS(p) ((__global int16*) (p))

#define max_of(a, b) ((a) > (b) ? (a) : (b))
#define min_of(a, b) ((a) < (b) ? (a) : (b))

// What the screen knows of a block.
typedef struct {
    float halfMax, normMax;    // greatest h, greatest |cf|
    float scale;               // g; 0 when the block stays with float
    int misses;                // groups for which fixed point was too coarse
} Block;

// What the screen says of a group: per row the best score, the second best, and whose the best is. All scores are kept
// too, for the rows on which this does not suffice: floats at scores[j * GROUP + row], or FIXED_SCORES.
typedef struct {
    float16 squares[2];        // |xf|^2
    float16 best[2], second[2];
    int16 index[2];
    float unit;                // of fixed-point scores; 0 when scores are floats
    float coarse;              // by how much these may be off, beyond E
} Screened;

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
#define TILE1(F) F(0)
#define TILE2(F) TILE1(F) F(1)
#define TILE4(F) TILE2(F) F(2) F(3)
#define TILE8(F) TILE4(F) F(4) F(5) F(6) F(7)

// KIND is FLOAT or FIXED: how a score starts, what a step adds to it, what is made of it.
//
// Meanwhile the rows of the next group are fetched: each step of the first tile asks for its share of them, or of half
// of them when rows are long; the other half is then asked for while this group is summed.
#define SCREEN_TILE(KIND, CENTERS, width) { \
    __global const KIND##_SCALAR* c = packed + ((long) (from / TILE) * steps * TILE + from % TILE); \
    __global const KIND##_SCALAR* h = half_ + from; \
    __global const KIND##_VECTOR* x = (__global const KIND##_VECTOR*) xt; \
    CENTERS(KIND##_START) \
    for (int t = 0; t < steps; t++, c += TILE) { \
        const KIND##_VECTOR x0 = x[2L * t], x1 = x[2L * t + 1]; \
        CENTERS(KIND##_STEP) \
        if (!from) \
            for (int b = 0; b < ahead; b += 64 / sizeof(REAL)) \
                PREFETCH(next + (long) t * ahead + b); \
    } \
    CENTERS(KIND##_FINISH) \
    from += width; \
}

#define SCREEN(KIND) { \
    while (from + 8 <= k) \
        SCREEN_TILE(KIND, TILE8, 8) \
    if (from + 4 <= k) \
        SCREEN_TILE(KIND, TILE4, 4) \
    if (from + 2 <= k) \
        SCREEN_TILE(KIND, TILE2, 2) \
    if (from < k) \
        SCREEN_TILE(KIND, TILE1, 1) \
}

#define FLOAT_SCALAR float
#define FLOAT_VECTOR float16
#define FLOAT_START(j) float16 v##j = (float16)(-h[j]), w##j = v##j;
#define FLOAT_STEP(j) v##j = fma((float16)(c[j]), x0, v##j); w##j = fma((float16)(c[j]), x1, w##j);
#define FLOAT_FINISH(j) \
    COLUMNS(scores)[2L * (from + j)] = v##j; \
    COLUMNS(scores)[2L * (from + j) + 1] = w##j; \
    second0 = max_of(second0, min_of(v##j, best0)); \
    second1 = max_of(second1, min_of(w##j, best1)); \
    index0 = v##j > best0 ? (int16)(from + j) : index0; \
    index1 = w##j > best1 ? (int16)(from + j) : index1; \
    best0 = max_of(v##j, best0); \
    best1 = max_of(w##j, best1);

INLINE void screen_float(__global const REAL* next, __global const float* restrict xt, __global float* restrict scores,
    __global const float* restrict packed, __global const float* restrict half_, const int k, const int d,
    Screened* group)
{
    float16 best0 = -INFINITY, best1 = -INFINITY, second0 = -INFINITY, second1 = -INFINITY;
    int16 index0 = 0, index1 = 0;
    const int steps = d;
    const int ahead = d > STRIPE ? GROUP / 2 : GROUP;
    int from = 0;

    SCREEN(FLOAT)
    group->best[0] = best0;
    group->best[1] = best1;
    group->second[0] = second0;
    group->second[1] = second1;
    group->index[0] = index0;
    group->index[1] = index1;
    group->unit = 0;
    group->coarse = 0;
}

// Fixed-point scores of a center with rows 0..15 or 16..31 (v = 0 or 1). One int holds those of r, below, and r + 16.
#define FIXED_SCORES(ints, v) ((v) ? (ints) >> 16 : (ints) << 16 >> 16)

#ifdef HAS_FIXED
typedef short short32 __attribute__((ext_vector_type(32)));

#define SHORTS(v) __builtin_astype(v, short32)
#define FIXED_SCALAR int
#define FIXED_VECTOR int16
#define FIXED_DOT(a, b) __builtin_astype(__builtin_ia32_pmaddwd512(SHORTS(a), SHORTS(b)), uint16)
#define FIXED_START(j) uint16 v##j = (uint16)(h[j]), w##j = v##j;
#define FIXED_STEP(j) v##j += FIXED_DOT(x0, (int16)(c[j])); w##j += FIXED_DOT(x1, (int16)(c[j]));
#define FIXED_FINISH(j) { \
    const short32 score = SHORTS(v##j >> 16 | (w##j & 0xffff0000u)); \
    scores[from + j] = __builtin_astype(score, int16); \
    second = max_of(second, min_of(score, best)); \
    index = score > best ? (short32)(from + j) : index; \
    best = max_of(score, best); \
}

// Adding 1.5 * 2^23 leaves a rounded value's two's complement in the lower half of the float.
#define FIXED_ROUND(value, scale) fma(value, scale, 12582912.0f)
#define FIXED_PAIR(type, first, second) ((CAT(as_, type)(first) & 0xffff) | CAT(as_, type)(second) << 16)

INLINE void fix_centers(__global const float* restrict packed, __global const float* restrict half_,
    __global int8* restrict fixed_, __global float* restrict halves, const int k, const int d, const float scale)
{
    for (int tile = 0; tile * TILE < k; tile++) {
        __global const float* c = packed + (long) tile * d * TILE;
        for (int p = 0; p < PAIRS(d); p++) {
            const float8 first = FIXED_ROUND(vload8(2 * p, c), (float8)(scale));
            const float8 second = 2 * p + 1 < d ? FIXED_ROUND(vload8(2 * p + 1, c), (float8)(scale)) : 0;
            fixed_[(long) tile * PAIRS(d) + p] = FIXED_PAIR(int8, first, second);
        }
    }
    for (int j = 0; j < WHOLE(k); j++)
        halves[j] = j < k ? half_[j] * scale : 0;
}

INLINE void fix_rows(__global const float16* restrict xt, __global int16* restrict fixed_, const int d,
    const float16 scale)
{
    const int last = d / 2 * 2;

    for (int t = 0; t < last; t += 2, xt += 4, fixed_ += 2) {
        fixed_[0] = FIXED_PAIR(int16, FIXED_ROUND(xt[0], scale), FIXED_ROUND(xt[2], scale));
        fixed_[1] = FIXED_PAIR(int16, FIXED_ROUND(xt[1], scale), FIXED_ROUND(xt[3], scale));
    }
    if (last < d) {
        fixed_[0] = FIXED_PAIR(int16, FIXED_ROUND(xt[0], scale), (float16)(0));
        fixed_[1] = FIXED_PAIR(int16, FIXED_ROUND(xt[1], scale), (float16)(0));
    }
}

// -H_j for each center, and half of what a score in the upper 16 bits is a unit of: so cutting off is rounding.
INLINE void fix_halves(__global const float16* restrict halves, __global int16* restrict fixed_, const int k,
    const float16 scale)
{
    for (int j = 0; j < WHOLE(k) / 16; j++)
        fixed_[j] = convert_int16(FIXED_CUT / 2 - scale * halves[j]);
}

INLINE void screen_fixed(__global const REAL* next, __global const int16* restrict xt, __global int16* restrict scores,
    __global const int* restrict packed, __global const int* restrict half_, const int k, const int d, const float unit,
    Screened* group)
{
    short32 best = SHRT_MIN, second = SHRT_MIN, index = 0;    // below all scores
    const int steps = PAIRS(d);
    const int ahead = d > STRIPE ? GROUP : 2 * GROUP;
    int from = 0;

    SCREEN(FIXED)
    for (int v = 0; v < 2; v++) {
        group->best[v] = unit * convert_float16(FIXED_SCORES(__builtin_astype(best, int16), v));
        group->second[v] = unit * convert_float16(FIXED_SCORES(__builtin_astype(second, int16), v));
        group->index[v] = FIXED_SCORES(__builtin_astype(index, int16), v);
    }
    group->unit = unit;
    group->coarse = unit * FIXED_ERROR(d);
}
#endif

INLINE Block screen_block(__global const float* restrict packed, __global const float* restrict half_,
    __global const float* restrict norm, __global float* restrict scratch, const int k, const int d)
{
    Block block = {0, 0, 0, 0};

    for (int j = 0; j < k; j++) {
        block.halfMax = max_of(half_[j], block.halfMax);
        block.normMax = max_of(norm[j], block.normMax);
    }
#ifdef HAS_FIXED
    if (k >= FIXED_CENTERS && k <= SHRT_MAX && d >= FIXED_COLUMNS
        && block.normMax > 1 / FIXED_RANGE && block.normMax < FIXED_RANGE) {
        block.scale = FIXED_LENGTH / block.normMax;
        fix_centers(packed, half_, (__global int8*) FIXED_PACKED(scratch, k, d), FIXED_HALVES(scratch, k, d), k, d,
            block.scale);
    }
#endif
    return block;
}

INLINE float greatest(const float16 a)
{
    const float8 b = max_of(a.lo, a.hi);
    const float4 c = max_of(b.lo, b.hi);
    const float2 e = max_of(c.lo, c.hi);
    return max_of(e.x, e.y);
}

// Screens in fixed point the group whose columns and squares are known; false when it or the block is not made for it.
INLINE bool try_fixed(__global const REAL* next, __global float* scratch, const int k, const int d, const Block* block,
    Screened* group)
{
#ifdef HAS_FIXED
    if (block->scale == 0 || block->misses >= FIXED_MISSES)
        return false;
    const float range = FIXED_RANGE * FIXED_RANGE;
    if (all((group->squares[0] < range) & (group->squares[1] < range))) {
        const float length = sqrt(greatest(max_of(group->squares[0], group->squares[1])));
        const float scale = FIXED_LENGTH / max_of(length, block->normMax / 2);
        __global float* halves = FIXED_HALVES(scratch, k, d);
        __global int16* rows = INTS(FIXED_ROWS(scratch, k, d));
        fix_rows(COLUMNS(scratch), rows, d, (float16)(scale));
        fix_halves(COLUMNS(halves), INTS(halves + WHOLE(k)), k, (float16)(scale));
        screen_fixed(next, rows, INTS(SCORES(scratch, d)), (__global const int*) FIXED_PACKED(scratch, k, d),
            (__global const int*) halves + WHOLE(k), k, d, FIXED_CUT / (scale * block->scale), group);
        return true;
    }
#endif
    return false;
}

INLINE float16 error_bound(const float16 squares, const float16 half_, const float16 norm, const int d)
{
    const float16 length = sqrt(squares + d * UNDERFLOW);
    const float16 size = length * norm + half_;
    const float16 bound = size * (1.02f * (d + 8) * UNIT) + squares * ((d + 16) * UNIT_DOUBLE)
        + (length + (1 + norm)) * (d * UNDERFLOW);
    return size < OVERFLOW ? bound : (float16)(INFINITY);
}
