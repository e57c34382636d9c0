// KMeans over sparse rows (CSR): which center is nearest to each row, and what that adds to the next centers.
//
// THE CONTRACT (its Java twin gives the same bits; all in double, multiplied and then added)
//   D(x, c)    a = 0 and x2 = 0; for each nonzero of x in order: a += v * c[t], x2 += v * v;
//              c2 = 0; for t = 0..d-1: c2 += c[t] * c[t];
//              D = (x2 - 2 * a) + c2, or 0 when that is less
//   label(x)   the j of the least D(x, c_j), the lowest such j; a NaN never wins; 0 when none wins (and D is NaN)
//   sums       as for dense rows, nonzeros only: in blocks of blockRows rows, ascending inside, blocks ascending (reduce)
//
// Centers are transposed, so that one nonzero meets 8 centers a vector and up to 64 of them in registers: every lane is one
// center's own sum in the contract's order, and nothing is reordered.
//
// The rows are shared memory that a client may still write. Whatever it holds, no access may leave the buffers: row ranges
// are clamped, columns outside [0, d) are skipped, and each value that is checked is read exactly once (volatile), lest it
// changes between the check and the use.

// Centers, rounded up to whole vectors of 8 doubles.
#define PADDED(k) (((k) + 7) / 8 * 8)

// Doubles of one block's partial: [sums: k*d | weight sums: k | cost | padding].
#define PARTIAL(k, d) (((long) (k) * (d) + (k) + 1 + 7) / 8 * 8)

// Transposes 8 centers. Global size: ceil(k / 8).
//   transposed  double[d][PADDED(k)]   zeros behind the last center
//   squares     double[PADDED(k)]      |c_j|^2; NaN behind the last center, which so never wins
SERIAL void center_transpose(__global const double* restrict centers, __global double* restrict transposed,
    __global double* restrict squares, const int k, const int d)
{
    const int from = get_global_id(0) * 8;
    const int width = min(8, k - from);
    double sum[8];

    for (int j = 0; j < 8; j++)
        sum[j] = j < width ? 0 : NAN;
    for (int t = 0; t < d; t++) {
        for (int j = 0; j < 8; j++) {
            const double c = j < width ? centers[(long) (from + j) * d + t] : 0;
            transposed[(long) t * PADDED(k) + from + j] = c;
            sum[j] += c * c;
        }
    }
    for (int j = 0; j < 8; j++)
        squares[from + j] = sum[j];
}

INLINE int read_once(__global const int* p)
{
    return *(volatile __global const int*) p;
}

#define EACH1(F) F(0)
#define EACH2(F) EACH1(F) F(1)
#define EACH3(F) EACH2(F) F(2)
#define EACH4(F) EACH3(F) F(3)
#define EACH5(F) EACH4(F) F(4)
#define EACH6(F) EACH5(F) F(5)
#define EACH7(F) EACH6(F) F(6)
#define EACH8(F) EACH7(F) F(7)
#define START(l) double8 a##l = 0;
#define STEP(l) a##l += v * c[l];
#define FINISH(l) { \
    double8 distance = (x2 - 2 * a##l) + vload8(0, squares + from + 8 * l); \
    distance = distance <= 0 ? (double8)(0) : distance; \
    const long8 wins = (distance < least) | ((index < 0) & (distance == distance)); \
    least = wins ? distance : least; \
    index = wins ? lane + (from + 8 * l) : index; \
}
#define TILE(CENTERS, width) { \
    CENTERS(START) \
    for (int p = begin; p < end; p++) { \
        const int t = read_once(indices + p); \
        if ((uint) t < (uint) d) { \
            const double v = values[p]; \
            if (!from) \
                x2 += v * v; \
            __global const double8* c = (__global const double8*) (transposed + (long) t * padded + from); \
            CENTERS(STEP) \
        } \
    } \
    CENTERS(FINISH) \
    from += width; \
}

// The nearest of k centers to the row of nonzeros begin..end-1, and its distance.
INLINE int nearest_center(__global const int* restrict indices, __global const REAL* restrict values,
    const int begin, const int end, __global const double* restrict transposed, __global const double* restrict squares,
    const int k, const int d, double* distance)
{
    const long8 lane = (long8)(0, 1, 2, 3, 4, 5, 6, 7);
    const int padded = PADDED(k);
    double8 least = INFINITY;
    long8 index = -1;
    double x2 = 0;
    int from = 0;

    while (from + 64 <= padded)
        TILE(EACH8, 64)
    switch ((padded - from) / 8) {
        case 1: TILE(EACH1, 8) break;
        case 2: TILE(EACH2, 16) break;
        case 3: TILE(EACH3, 24) break;
        case 4: TILE(EACH4, 32) break;
        case 5: TILE(EACH5, 40) break;
        case 6: TILE(EACH6, 48) break;
        case 7: TILE(EACH7, 56) break;
    }

    double leasts[8];
    long indexes[8];
    long label = -1;
    vstore8(least, 0, leasts);
    vstore8(index, 0, indexes);
    *distance = NAN;
    for (int l = 0; l < 8; l++) {
        if (indexes[l] < 0)
            continue;
        if (label < 0 || leasts[l] < *distance || (leasts[l] == *distance && indexes[l] < label)) {
            *distance = leasts[l];
            label = indexes[l];
        }
    }
    return (int) max(label, 0L);
}

// Labels the rows of one block and adds them up. Global size: ceil(n / blockRows).
//   partials  double[blocks][PARTIAL(k, d)]
SERIAL void sparse_assign(__global const int* restrict indptr, __global const int* restrict indices,
    __global const REAL* restrict values, __global const double* restrict weights,
    __global const double* restrict transposed, __global const double* restrict squares,
    __global double* restrict partials, const int n, const int d, const int k, const int nnz, const int blockRows,
    const int hasWeights)
{
    const int block = get_global_id(0);
    const int first = block * blockRows;
    const int last = (int) min((long) n, (long) first + blockRows);
    __global double* sums = partials + block * PARTIAL(k, d);
    __global double* weightSums = sums + (long) k * d;
    double cost = 0;

    for (long e = 0; e < PARTIAL(k, d); e += 8)
        vstore8((double8)(0), 0, sums + e);
    for (int i = first; i < last; i++) {
        const int begin = clamp(read_once(indptr + i), 0, nnz);
        const int end = clamp(read_once(indptr + i + 1), begin, nnz);
        double distance;
        const int label = nearest_center(indices, values, begin, end, transposed, squares, k, d, &distance);
        // A weight of 1 changes no bit.
        const double weight = hasWeights ? weights[i] : 1;
        __global double* sum = sums + (long) label * d;
        for (int p = begin; p < end; p++) {
            const int t = read_once(indices + p);
            if ((uint) t < (uint) d)
                sum[t] += weight * values[p];
        }
        weightSums[label] += weight;
        cost += weight * distance;
    }
    weightSums[k] = cost;
}

// Lowers each row's distance to that of the nearest of m further centers, numbered from base on, where that is less.
// Global size: ceil(n / blockRows).
//   distances  double[n], labels int[n]: read and written
SERIAL void sparse_nearest(__global const int* restrict indptr, __global const int* restrict indices,
    __global const REAL* restrict values, __global const double* restrict transposed,
    __global const double* restrict squares, __global double* restrict distances, __global int* restrict labels,
    const int n, const int d, const int m, const int nnz, const int base, const int blockRows)
{
    const int block = get_global_id(0);
    const int first = block * blockRows;
    const int last = (int) min((long) n, (long) first + blockRows);

    for (int i = first; i < last; i++) {
        const int begin = clamp(read_once(indptr + i), 0, nnz);
        const int end = clamp(read_once(indptr + i + 1), begin, nnz);
        double found;
        const int label = nearest_center(indices, values, begin, end, transposed, squares, m, d, &found);
        if (found < distances[i]) {
            distances[i] = found;
            labels[i] = base + label;
        }
    }
}
