// LogisticRegression over sparse rows (CSR): loss and gradient of all models in one pass. The contract heads link.cl; here
//   x . w      over the row's nonzeros in order, p = 0, 1, ...: a[p % 4] = fma(v, w[t], a[p % 4]), from 0; (a0+a2) + (a1+a3)
//   gradient   the chain takes the nonzeros of a row in order
//
// Coefficients and sums are transposed, so that one nonzero meets all columns side by side: up to 32 of them in registers.
// Rows go in groups, as in dense.cl: a group's nonzeros stay in a core's cache between their two uses. A single column's
// coefficients and sums lie in pairs: what the first use of a nonzero fetched, often from far, the second one finds near.
//
// The rows are shared memory that a client may still write. Whatever it holds, no access may leave the buffers: row ranges
// are clamped, columns outside [0, d) are skipped, and each value that is checked is read exactly once (volatile), lest it
// changes between the check and the use.

#define GROUP 32    // rows
#define TILE 32     // columns
#define TRANSPOSE_ROWS 1024    // what one work-item writes

// Doubles from one feature's sums to the next one's: a single column's coefficient follows its sum.
#define STEP(columns) ((columns) == 1 ? 2 : (columns))

// Doubles of one block's partial: [d x STEP: gradient | STEP: sums of multipliers | losses: models | padding].
#define PARTIAL(columns, d, models) (((long) STEP(columns) * ((d) + 1) + (models) + 7) / 8 * 8)

// Scratch doubles of one block: margins by columns, the same by rows, then lanes.
#define SCRATCH(columns, models) ((long) (columns) * (2 * GROUP + 8) + 8L * (models))

INLINE int read_once(__global const int* p)
{
    return *(volatile __global const int*) p;
}

// Transposes coefficients and offsets. Global size: ceil((d + 1) / TRANSPOSE_ROWS).
//   transposed  double[d + 1][columns]
SERIAL void coefficient_transpose(__global const double* restrict coefficients, __global double* restrict transposed,
    const int columns, const int d)
{
    const long from = (long) get_global_id(0) * TRANSPOSE_ROWS;
    const long to = min(d + 1L, from + TRANSPOSE_ROWS);

    for (long t = from; t < to; t++)
        for (int c = 0; c < columns; c++)
            transposed[t * columns + c] = coefficients[c * (d + 1L) + t];
}

#define LOAD1(p) (*(p))
#define LOAD2(p) vload2(0, p)
#define LOAD4(p) vload4(0, p)
#define LOAD8(p) vload8(0, p)
#define STORE1(v, p) *(p) = v
#define STORE2(v, p) vstore2(v, 0, p)
#define STORE4(v, p) vstore4(v, 0, p)
#define STORE8(v, p) vstore8(v, 0, p)
#define double1 double

// Where a tile's l-th vector begins: the last one ends with the tile, and may overlap the one before.
#define AT(l, COUNT, WIDTH) ((l) < COUNT - 1 ? (l) * WIDTH : width - WIDTH)

#define NONZERO(chain, COUNT, WIDTH) { \
    const int t = read_once(indices + p + chain); \
    if ((uint) t < (uint) d) { \
        const double##WIDTH v = (double) values[p + chain]; \
        _Pragma("unroll") for (int l = 0; l < COUNT; l++) \
            a[4 * l + chain] = fma(v, LOAD##WIDTH(w + (long) t * step + AT(l, COUNT, WIDTH)), a[4 * l + chain]); \
    } \
}

// The product of the nonzeros first..last-1 with COUNT vectors of WIDTH columns, `width` columns in all, and the offsets.
//   w    the tile's first column of the transposed coefficients; the next feature's lie `step` on
#define PRODUCT(WIDTH, COUNT) \
INLINE void product_##WIDTH##x##COUNT(__global const int* indices, __global const REAL* values, const int first, \
    const int last, __global const double* w, const int step, const int width, const int d, \
    __global double* margins) \
{ \
    double##WIDTH a[4 * COUNT]; \
    int p = first; \
    _Pragma("unroll") for (int e = 0; e < 4 * COUNT; e++) \
        a[e] = 0; \
    for (; last - p >= 4; p += 4) { \
        NONZERO(0, COUNT, WIDTH) \
        NONZERO(1, COUNT, WIDTH) \
        NONZERO(2, COUNT, WIDTH) \
        NONZERO(3, COUNT, WIDTH) \
    } \
    if (p < last) \
        NONZERO(0, COUNT, WIDTH) \
    if (last - p > 1) \
        NONZERO(1, COUNT, WIDTH) \
    if (last - p > 2) \
        NONZERO(2, COUNT, WIDTH) \
    _Pragma("unroll") for (int l = 0; l < COUNT; l++) { \
        const int at = AT(l, COUNT, WIDTH); \
        STORE##WIDTH(((a[4 * l] + a[4 * l + 2]) + (a[4 * l + 1] + a[4 * l + 3])) \
            + LOAD##WIDTH(w + (long) d * step + at), margins + at); \
    } \
}

// Adds multiples of the nonzeros first..last-1 to the sums of as many columns. Vectors that overlap are all loaded before
// the first is stored, and so store the same.
//   sums    the tile's first column
#define ADDITION(WIDTH, COUNT) \
INLINE void addition_##WIDTH##x##COUNT(__global const int* indices, __global const REAL* values, const int first, \
    const int last, __global double* sums, const int step, const int width, const int d, \
    __global const double* multipliers) \
{ \
    double##WIDTH m[COUNT]; \
    _Pragma("unroll") for (int l = 0; l < COUNT; l++) \
        m[l] = LOAD##WIDTH(multipliers + AT(l, COUNT, WIDTH)); \
    for (int p = first; p < last; p++) { \
        const int t = read_once(indices + p); \
        if ((uint) t < (uint) d) { \
            const double##WIDTH v = (double) values[p]; \
            __global double* sum = sums + (long) t * step; \
            double##WIDTH g[COUNT]; \
            _Pragma("unroll") for (int l = 0; l < COUNT; l++) \
                g[l] = fma(m[l], v, LOAD##WIDTH(sum + AT(l, COUNT, WIDTH))); \
            _Pragma("unroll") for (int l = 0; l < COUNT; l++) \
                STORE##WIDTH(g[l], sum + AT(l, COUNT, WIDTH)); \
        } \
    } \
}

#define EACH_TILE(F) F(1, 1) F(2, 1) F(2, 2) F(4, 1) F(4, 2) F(8, 1) F(8, 2) F(8, 3) F(8, 4)
EACH_TILE(PRODUCT)
EACH_TILE(ADDITION)

// Calls F for the nonzeros first..last-1 and all columns, in tiles.
#define FOR_COLUMNS(F, matrix, row) \
    for (int from = 0; from < columns; from += TILE) { \
        const int width = min(TILE, columns - from); \
        if (columns == 1) \
            F##_1x1(TILE_ARGUMENTS(matrix, row, STEP(1))); \
        else if (width > 24) \
            F##_8x4(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width > 16) \
            F##_8x3(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width > 8) \
            F##_8x2(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width == 8) \
            F##_8x1(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width > 4) \
            F##_4x2(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width == 4) \
            F##_4x1(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width == 3) \
            F##_2x2(TILE_ARGUMENTS(matrix, row, columns)); \
        else if (width == 2) \
            F##_2x1(TILE_ARGUMENTS(matrix, row, columns)); \
        else \
            F##_1x1(TILE_ARGUMENTS(matrix, row, columns)); \
    }
#define TILE_ARGUMENTS(matrix, row, step) indices, values, first[r], last[r], matrix + from, step, width, d, row + from

INLINE void block_gradient(__global const int* restrict rowStarts, __global const int* restrict indices,
    __global const REAL* restrict values, __global const int* restrict labels, __global const double* restrict weights,
    __global const double* restrict transposed, __global double* restrict scratch, __global double* restrict partials,
    const int n, const int d, const int classes, const int models, const int nnz, const int blockRows,
    const int hasWeights)
{
    const int block = get_global_id(0);
    const int begin = block * blockRows;
    const int end = (int) min((long) n, (long) begin + blockRows);
    const int columns = classes * models;
    __global double* margins = scratch + block * SCRATCH(columns, models);
    __global double* byRow = columns == 1 ? margins : margins + (long) columns * GROUP;
    __global double* lanes = margins + (long) columns * 2 * GROUP;
    __global double* sums = partials + block * PARTIAL(columns, d, models);
    __global const double* w = columns == 1 ? sums + 1 : transposed;

    for (long e = 0; e < PARTIAL(columns, d, models); e += 8)
        vstore8((double8)(0), 0, sums + e);
    for (int t = 0; t <= d && columns == 1; t++)
        sums[2L * t + 1] = transposed[t];
    for (int c = 0; c < columns + models; c++)
        vstore8((double8)(0), c, lanes);
    for (int i = begin; i < end; i += GROUP) {
        const int rows = min(GROUP, end - i);
        int first[GROUP], last[GROUP];
        for (int r = 0; r < rows; r++) {
            first[r] = clamp(read_once(rowStarts + i + r), 0, nnz);
            last[r] = clamp(read_once(rowStarts + i + r + 1), first[r], nnz);
            __global double* row = byRow + (long) r * columns;
            FOR_COLUMNS(product, w, row)
        }
        for (int c = 0; c < columns && columns > 1; c++)
            for (int r = 0; r < rows; r++)
                margins[(long) c * GROUP + r] = byRow[(long) r * columns + c];
        link(margins, GROUP, lanes, labels, weights, hasWeights, i, i + rows, classes, models);
        for (int c = 0; c < columns && columns > 1; c++)
            for (int r = 0; r < rows; r++)
                byRow[(long) r * columns + c] = margins[(long) c * GROUP + r];
        // The next group's nonzeros are fetched meanwhile.
        const int ahead = last[rows - 1] - first[0];
        for (int r = 0; r < rows; r++) {
            __global double* row = byRow + (long) r * columns;
            for (int p = first[r]; p < last[r]; p += 8) {
                PREFETCH(indices + p + ahead);
                PREFETCH(values + p + ahead);
            }
            FOR_COLUMNS(addition, sums, row)
        }
    }
    for (int c = 0; c < columns; c++)
        sums[(long) d * STEP(columns) + c] = lanes_sum(vload8(c, lanes));
    for (int model = 0; model < models; model++)
        sums[(d + 1L) * STEP(columns) + model] = lanes_sum(vload8(columns + model, lanes));
}

#define GRADIENT(NAME, CLASSES, MODELS) \
SERIAL void NAME(__global const int* restrict rowStarts, __global const int* restrict indices, \
    __global const REAL* restrict values, __global const int* restrict labels, __global const double* restrict weights, \
    __global const double* restrict transposed, __global double* restrict scratch, __global double* restrict partials, \
    const int n, const int d, const int classes, const int models, const int nnz, const int blockRows, \
    const int hasWeights) \
{ \
    block_gradient(rowStarts, indices, values, labels, weights, transposed, scratch, partials, n, d, CLASSES, MODELS, nnz, \
        blockRows, hasWeights); \
}

// Loss and gradient of one block's rows. Global size: ceil(n / blockRows).
//   scratch   double[blocks][SCRATCH(columns, models)]
//   partials  double[blocks][PARTIAL(columns, d, models)]
GRADIENT(sparse_gradient, classes, models)

// The same where classes and models are 1: by itself, as that leaves the compiler more registers.
GRADIENT(sparse_gradient_single, 1, 1)
