// LogisticRegression over dense rows: loss and gradient of all models in one pass. The contract heads link.cl; here
//   x . w      a[0..7] = 0; for t = 0..8*ceil(d/8)-1: a[t % 8] = fma(x[t], w[t], a[t % 8]), zeros behind x and w;
//              then ((a0+a4) + (a2+a6)) + ((a1+a5) + (a3+a7))
//
// Each row is used twice, for its margins and for the gradient, with the link between them. So rows go in groups that stay
// in a core's cache: margins of the group, 8 rows' links as one vector, then the group's part of the gradient. Both
// products run in tiles held in registers; while the second one runs, the next group's rows are fetched, but for a single
// column without 512-bit registers: such a pass only waits for memory, and what hardware fetches ahead comes soonest when
// rows are read one after another and nothing else is asked for.

#define COLUMN_TILE 4

// Columns of a padded row: whole vectors of 8 doubles.
#define PADDED(d) (((d) + 7) / 8 * 8)

// Doubles of one block's partial: [columns x PADDED(d + 1): gradient, sum of multipliers | losses: models | padding].
#define PARTIAL(columns, d, models) ((long) (columns) * PADDED((d) + 1) + PADDED(models))

// Scratch doubles of one block: margins, then lanes.
#define SCRATCH(columns, models, groupRows) ((long) (columns) * ((groupRows) + 8) + 8L * (models))

// Padded coefficients are whole vectors, aligned; features are neither.
#define ALIGNED(p) (*(__global const double8*) (p))

// Puts zeros behind each column's coefficients. Global size: ceil(columns / COLUMN_TILE).
//   padded  double[columns][PADDED(d)]
SERIAL void coefficient_pad(__global const double* restrict coefficients, __global double* restrict padded,
    const int columns, const int d)
{
    const int from = get_global_id(0) * COLUMN_TILE;
    const int to = min(columns, from + COLUMN_TILE);

    for (int c = from; c < to; c++)
        for (int t = 0; t < PADDED(d); t++)
            padded[(long) c * PADDED(d) + t] = t < d ? coefficients[(long) c * (d + 1) + t] : 0;
}

// Fetches what lies `ahead` of the lines that a vector of features lies on.
INLINE void fetch(__global const REAL* x, const int t, const long ahead)
{
    if (sizeof(REAL) == 8 || t % 16 == 0)
        PREFETCH(x + t + ahead);
}

// Registers hold 16 vectors of 8 doubles where they are 512 bits wide; elsewhere 8 at the most, and the rest must do for
// the operands. So tiles are computed in parts there. A single column's rows are fetched half by the products, half by the
// gradient: those whose number has the bits of FETCHED_ROWS.
#ifdef __AVX512F__
#define PART_ROWS(ROWS, COLUMNS) ROWS
#define PART_COLUMNS(COLUMNS) COLUMNS
#define FETCHED_ROWS 4
#else
#define PART_ROWS(ROWS, COLUMNS) ((COLUMNS) == 1 ? 1 : 2)
#define PART_COLUMNS(COLUMNS) ((COLUMNS) == 1 ? 1 : 2)
#define FETCHED_ROWS 0
#endif

// Inner products of ROWS rows with COLUMNS columns, eight or sixteen in all: a[column * ROWS + row]. Fetches half of the
// rows that lie `ahead`, unless that is 0.
#define PRODUCTS(NAME, ROWS, COLUMNS) \
INLINE void NAME(__global const REAL* x, const long* at, __global const double* w, const int d, \
    __global const REAL* end, const long ahead, double8* sums) \
{ \
    double8 a[ROWS * COLUMNS]; \
    _Pragma("unroll") for (int r0 = 0; r0 < ROWS; r0 += PART_ROWS(ROWS, COLUMNS)) \
    _Pragma("unroll") for (int c0 = 0; c0 < COLUMNS; c0 += PART_COLUMNS(COLUMNS)) { \
        double8 b[PART_ROWS(ROWS, COLUMNS) * PART_COLUMNS(COLUMNS)]; \
        int t = 0; \
        _Pragma("unroll") for (int e = 0; e < PART_ROWS(ROWS, COLUMNS) * PART_COLUMNS(COLUMNS); e++) \
            b[e] = 0; \
        for (; t + 8 <= d; t += 8) { \
            double8 v[PART_ROWS(ROWS, COLUMNS)]; \
            _Pragma("unroll") for (int r = 0; r < PART_ROWS(ROWS, COLUMNS); r++) \
                v[r] = convert_double8(vload8(0, x + at[r0 + r] + t)); \
            if (ahead) { \
                _Pragma("unroll") for (int r = 0; r < PART_ROWS(ROWS, COLUMNS) / 2; r++) \
                    fetch(x + at[r0 / 2 + r], t, ahead); \
            } \
            _Pragma("unroll") for (int c = 0; c < PART_COLUMNS(COLUMNS); c++) { \
                const double8 u = ALIGNED(w + (long) (c0 + c) * PADDED(d) + t); \
                _Pragma("unroll") for (int r = 0; r < PART_ROWS(ROWS, COLUMNS); r++) \
                    b[c * PART_ROWS(ROWS, COLUMNS) + r] = fma(v[r], u, b[c * PART_ROWS(ROWS, COLUMNS) + r]); \
            } \
        } \
        if (t < d) { \
            _Pragma("unroll") for (int r = 0; r < PART_ROWS(ROWS, COLUMNS); r++) { \
                const double8 v = columns_from(x + at[r0 + r], t, d, end); \
                _Pragma("unroll") for (int c = 0; c < PART_COLUMNS(COLUMNS); c++) \
                    b[c * PART_ROWS(ROWS, COLUMNS) + r] = fma(v, ALIGNED(w + (long) (c0 + c) * PADDED(d) + t), \
                        b[c * PART_ROWS(ROWS, COLUMNS) + r]); \
            } \
        } \
        _Pragma("unroll") for (int c = 0; c < PART_COLUMNS(COLUMNS); c++) \
            _Pragma("unroll") for (int r = 0; r < PART_ROWS(ROWS, COLUMNS); r++) \
                a[(c0 + c) * ROWS + r0 + r] = b[c * PART_ROWS(ROWS, COLUMNS) + r]; \
    } \
    _Pragma("unroll") for (int e = 0; e < ROWS * COLUMNS / 8; e++) \
        sums[e] = lanes_sums(a + 8 * e); \
}
PRODUCTS(products_8x1, 8, 1)
PRODUCTS(products_4x2, 4, 2)
PRODUCTS(products_4x4, 4, 4)

#define OFFSET(c) coefficients[(long) (c) * (d + 1) + d]
#define MARGIN(c) (margins + (long) (c) * groupRows + r)

// Margins of the rows from x on; up to 7 behind the last row are overwritten.
INLINE void margins_of(__global const REAL* x, const int rows, const int d, __global const REAL* end,
    __global const double* padded, __global const double* coefficients, const int columns, __global double* margins,
    const int groupRows)
{
    const long stride = PADDED(d);

    for (int r = 0; r < rows; r += 8) {
        // Where there are fewer than 8 rows, the last stands in for those that are missing.
        long at[8];
        double8 low[2], high[2];
        _Pragma("unroll") for (int i = 0; i < 8; i++)
            at[i] = (long) min(r + i, rows - 1) * d;
        int c = 0;
        for (; c + 4 <= columns; c += 4) {
            products_4x4(x, at, padded + c * stride, d, end, 0, low);
            products_4x4(x, at + 4, padded + c * stride, d, end, 0, high);
            vstore8((double8)(low[0].lo, high[0].lo) + OFFSET(c), 0, MARGIN(c));
            vstore8((double8)(low[0].hi, high[0].hi) + OFFSET(c + 1), 0, MARGIN(c + 1));
            vstore8((double8)(low[1].lo, high[1].lo) + OFFSET(c + 2), 0, MARGIN(c + 2));
            vstore8((double8)(low[1].hi, high[1].hi) + OFFSET(c + 3), 0, MARGIN(c + 3));
        }
        if (c + 2 <= columns) {
            products_4x2(x, at, padded + c * stride, d, end, 0, low);
            products_4x2(x, at + 4, padded + c * stride, d, end, 0, high);
            vstore8((double8)(low[0].lo, high[0].lo) + OFFSET(c), 0, MARGIN(c));
            vstore8((double8)(low[0].hi, high[0].hi) + OFFSET(c + 1), 0, MARGIN(c + 1));
            c += 2;
        }
        if (c < columns) {
            products_8x1(x, at, padded + c * stride, d, end, columns == 1 ? (long) groupRows * d : 0, low);
            vstore8(low[0] + OFFSET(c), 0, MARGIN(c));
        }
    }
}

// Adds multiples of the rows from x on to VECTORS vectors of each of COLUMNS gradients.
//   x           the first row, at the tile's first feature
//   multipliers of the tile's first column; the next columns' are groupRows on
//   sums        of the tile's first column, at its first feature; the next columns' are stride on
#ifdef __AVX512F__
#define PART_VECTORS(COLUMNS, VECTORS) VECTORS
#else
#define PART_VECTORS(COLUMNS, VECTORS) ((COLUMNS) * (VECTORS) <= 4 ? (VECTORS) : 4 / (COLUMNS))
#endif

#define GRADIENT(NAME, COLUMNS, VECTORS) \
INLINE void NAME(__global const REAL* x, const int rows, const int d, __global const double* multipliers, \
    const int groupRows, __global double* sums, const int stride, const int fetched, const long ahead) \
{ \
    _Pragma("unroll") for (int l0 = 0; l0 < VECTORS; l0 += PART_VECTORS(COLUMNS, VECTORS)) { \
        double8 g[COLUMNS * PART_VECTORS(COLUMNS, VECTORS)]; \
        _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) \
            _Pragma("unroll") for (int l = 0; l < PART_VECTORS(COLUMNS, VECTORS); l++) \
                g[c * PART_VECTORS(COLUMNS, VECTORS) + l] = vload8(l0 + l, sums + (long) c * stride); \
        for (int r = 0; r < rows; r++) { \
            double8 v[PART_VECTORS(COLUMNS, VECTORS)]; \
            _Pragma("unroll") for (int l = 0; l < PART_VECTORS(COLUMNS, VECTORS); l++) \
                v[l] = convert_double8(vload8(l0 + l, x + (long) r * d)); \
            if (r & fetched) { \
                _Pragma("unroll") for (int l = 0; l < PART_VECTORS(COLUMNS, VECTORS); l++) \
                    fetch(x + (long) r * d, 8 * (l0 + l), ahead); \
            } \
            _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) { \
                const double8 m = multipliers[(long) c * groupRows + r]; \
                _Pragma("unroll") for (int l = 0; l < PART_VECTORS(COLUMNS, VECTORS); l++) \
                    g[c * PART_VECTORS(COLUMNS, VECTORS) + l] = \
                        fma(m, v[l], g[c * PART_VECTORS(COLUMNS, VECTORS) + l]); \
            } \
        } \
        _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) \
            _Pragma("unroll") for (int l = 0; l < PART_VECTORS(COLUMNS, VECTORS); l++) \
                vstore8(g[c * PART_VECTORS(COLUMNS, VECTORS) + l], l0 + l, sums + (long) c * stride); \
    } \
}
GRADIENT(gradient_1x8, 1, 8)
GRADIENT(gradient_1x4, 1, 4)
GRADIENT(gradient_1x2, 1, 2)
GRADIENT(gradient_1x1, 1, 1)
GRADIENT(gradient_2x4, 2, 4)
GRADIENT(gradient_2x2, 2, 2)
GRADIENT(gradient_2x1, 2, 1)
GRADIENT(gradient_4x4, 4, 4)
GRADIENT(gradient_4x2, 4, 2)
GRADIENT(gradient_4x1, 4, 1)

// The same for the last columns of rows that are no whole vectors.
#define GRADIENT_TAIL(NAME, COLUMNS) \
INLINE void NAME(__global const REAL* x, const int t, const int rows, const int d, __global const REAL* end, \
    __global const double* multipliers, const int groupRows, __global double* sums, const int stride) \
{ \
    double8 g[COLUMNS]; \
    _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) \
        g[c] = vload8(0, sums + (long) c * stride + t); \
    for (int r = 0; r < rows; r++) { \
        const double8 v = columns_from(x + (long) r * d, t, d, end); \
        _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) \
            g[c] = fma((double8)(multipliers[(long) c * groupRows + r]), v, g[c]); \
    } \
    _Pragma("unroll") for (int c = 0; c < COLUMNS; c++) \
        vstore8(g[c], 0, sums + (long) c * stride + t); \
}
GRADIENT_TAIL(gradient_tail_1, 1)
GRADIENT_TAIL(gradient_tail_2, 2)
GRADIENT_TAIL(gradient_tail_4, 4)

#define TILE_ARGUMENTS x + t, rows, d, multipliers + (long) c * groupRows, groupRows, sums + (long) c * stride + t, stride, \
    c ? 0 : columns == 1 ? FETCHED_ROWS : -1, ahead
#define TAIL_ARGUMENTS x, t, rows, d, end, multipliers + (long) c * groupRows, groupRows, sums + (long) c * stride, stride
#define STRIP(TILE4, TILE2, TILE1, width) { \
    int c = 0; \
    for (; c + 4 <= columns; c += 4) \
        TILE4(TILE_ARGUMENTS); \
    if (c + 2 <= columns) { \
        TILE2(TILE_ARGUMENTS); \
        c += 2; \
    } \
    if (c < columns) \
        TILE1(TILE_ARGUMENTS); \
    t += width; \
}

// Adds multiples of the rows from x on to each column's gradient.
INLINE void add_rows(__global const REAL* x, const int rows, const int d, __global const REAL* end,
    __global const double* multipliers, const int groupRows, const int columns, __global double* sums, const int stride)
{
    const long ahead = (long) groupRows * d;
    int t = 0;

    if (columns == 1) {
        const int c = 0;
        for (; t + 64 <= d; t += 64)
            gradient_1x8(TILE_ARGUMENTS);
    }
    while (t + 32 <= d)
        STRIP(gradient_4x4, gradient_2x4, gradient_1x4, 32)
    if (t + 16 <= d)
        STRIP(gradient_4x2, gradient_2x2, gradient_1x2, 16)
    if (t + 8 <= d)
        STRIP(gradient_4x1, gradient_2x1, gradient_1x1, 8)
    if (t < d) {
        int c = 0;
        for (; c + 4 <= columns; c += 4)
            gradient_tail_4(TAIL_ARGUMENTS);
        if (c + 2 <= columns) {
            gradient_tail_2(TAIL_ARGUMENTS);
            c += 2;
        }
        if (c < columns)
            gradient_tail_1(TAIL_ARGUMENTS);
    }
}

// Loss and gradient of one block's rows. Global size: ceil(n / blockRows).
//   groupRows  a multiple of 8
//   padded     double[columns][PADDED(d)]
//   scratch    double[blocks][SCRATCH(columns, models, groupRows)]
//   partials   double[blocks][PARTIAL(columns, d, models)]
SERIAL void gradient(__global const REAL* restrict features, __global const int* restrict labels,
    __global const double* restrict weights, __global const double* restrict coefficients,
    __global const double* restrict padded, __global double* restrict scratch, __global double* restrict partials,
    const int n, const int d, const int classes, const int models, const int blockRows, const int groupRows,
    const int hasWeights)
{
    const int block = get_global_id(0);
    const int begin = block * blockRows;
    const int end = (int) min((long) n, (long) begin + blockRows);
    const int columns = classes * models;
    const int stride = PADDED(d + 1);
    __global const REAL* last = features + (long) n * d;
    __global double* margins = scratch + block * SCRATCH(columns, models, groupRows);
    __global double* lanes = margins + (long) columns * groupRows;
    __global double* sums = partials + block * PARTIAL(columns, d, models);

    for (long e = 0; e < PARTIAL(columns, d, models); e += 8)
        vstore8((double8)(0), 0, sums + e);
    for (int c = 0; c < columns + models; c++)
        vstore8((double8)(0), c, lanes);
    for (int i = begin; i < end; i += groupRows) {
        const int rows = min(groupRows, end - i);
        __global const REAL* x = features + (long) i * d;
        margins_of(x, rows, d, last, padded, coefficients, columns, margins, groupRows);
        link(margins, groupRows, lanes, labels, weights, hasWeights, i, i + rows, classes, models);
        add_rows(x, rows, d, last, margins, groupRows, columns, sums, stride);
    }
    for (int c = 0; c < columns; c++)
        sums[(long) c * stride + d] = lanes_sum(vload8(c, lanes));
    for (int model = 0; model < models; model++)
        sums[(long) columns * stride + model] = lanes_sum(vload8(columns + model, lanes));
}
