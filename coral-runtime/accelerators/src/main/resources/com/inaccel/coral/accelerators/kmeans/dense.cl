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
// Labels are found by a screen (screen.cl) that proves most of them, and by D where it does not.

#define PENDING 128  // candidates gathered before they are compared: gathering takes no branch, comparing few wrong ones
#define MEANS 16    // centers that take part in the shift

// Columns of a padded row: whole vectors of 8 doubles.
#define PADDED(d) (((d) + 7) / 8 * 8)

// Doubles of one block's partial: sums, weight sums, cost, rounded up to whole vectors.
#define PARTIAL(k, d) ((long) (k) * PADDED(d) + PADDED((k) + 1))

// Partials and padded centers are whole vectors, aligned; features are neither.
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
        const double8 e = columns_from(x, t, d, end) - CENTER(center + t)[0];
        a += e * e;
    }
    return lanes_sum(a);
}

// Rows marked in `open` are not decided by the screen: sets their labels by D, computed for those centers which, each
// with its own error bound (in fixed point: with the common one, `error`), can still be nearest. v: half of the group.
INLINE void recheck(__global const REAL* x, __global const REAL* end, __global const double* padded,
    __global const float* half_, __global const float* norm, __global const float* scores, const int k, const int d,
    const Screened* group, const int v, const float16 error, const int16 open, int* label)
{
    const float16 squares = group->squares[v];
    const float unit = group->unit;
    float halves[16], norms[16];
    double least[16];
    int pending[PENDING + 16 + 1];
    int count = 0;

    for (int r = 0; r < 16; r++) {
        halves[r] = half_[label[r]];
        norms[r] = norm[label[r]];
        least[r] = INFINITY;
    }
    const float16 bar = group->best[v]
        - (unit > 0 ? error : error_bound(squares, vload16(0, halves), vload16(0, norms), d));
    vstore16(vload16(0, label) | open, 0, label);
    for (int j = 0; j < k; j++) {
        const float16 reach = unit > 0
            ? unit * convert_float16(FIXED_SCORES(INTS(scores)[j], v)) + error
            : COLUMNS(scores)[2L * j + v] + error_bound(squares, (float16)(half_[j]), (float16)(norm[j]), d);
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

// How many lanes are marked in either mask.
INLINE int marked(const int16 a, const int16 b)
{
    const int16 sum = a + b;
    const int8 c = sum.lo + sum.hi;
    const int4 e = c.lo + c.hi;
    const int2 f = e.lo + e.hi;
    return -(f.x + f.y);
}

// Labels one group of rows, 1 to GROUP of them. `ceiling` (may be null): no label is needed, and -1 is given, where D
// certainly exceeds it.
INLINE void label_group(__global const REAL* restrict x, __global const REAL* end, const int rows,
    __global const REAL* restrict mean, __global const double* restrict padded, __global const float* restrict packed,
    __global const float* restrict half_, __global const float* restrict norm, __global float* scratch,
    const int k, const int d, Block* block, const float* ceiling, int* label)
{
    const int16 lanes = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __global const REAL* next = x + (long) GROUP * d;
    Screened group;
    float16 error[2];
    int16 open[2], useless[2] = {0, 0};

    if (rows == GROUP) {
        group.squares[0] = transpose16(x, mean, COLUMNS(scratch), d);
        group.squares[1] = transpose16(x + 16L * d, mean, COLUMNS(scratch) + 1, d);
    } else {
        transpose_few(x, mean, scratch, d, rows, &group.squares[0], &group.squares[1]);
    }
    for (bool fixed_ = SELDOM(block->scale > 0) && try_fixed(next, scratch, k, d, block, &group);; fixed_ = false) {
        if (!fixed_)
            screen_float(next, scratch, SCORES(scratch, d), packed, half_, k, d, &group);
        for (int v = 0; v < 2; v++) {
            const float16 squares = group.squares[v];
            error[v] = error_bound(squares, (float16)(block->halfMax), (float16)(block->normMax), d)
                + group.coarse;
            open[v] = ~(group.best[v] - group.second[v] > 2 * error[v]) & (lanes + 16 * v < (int16)(rows));
            if (ceiling) {
                // |x - m|^2 is known to (d + 3) u, the rest to E; rounding of this very line is in the slack of both.
                const float16 slack = 2 * error[v] + squares * (1.02f * (d + 8) * UNIT);
                useless[v] = squares - 2 * group.best[v] - slack > vload16(v, ceiling);
                open[v] &= ~useless[v];
            }
        }
        if (!fixed_ || marked(open[0], open[1]) <= FIXED_OPEN)
            break;
        block->misses++;
    }
    for (int v = 0; v < 2; v++) {
        vstore16(group.index[v], v, label);
        if (any(open[v]))
            recheck(x + 16L * v * d, end, padded, half_, norm, SCORES(scratch, d), k, d, &group, v, error[v], open[v],
                label + 16 * v);
        if (ceiling)
            vstore16(vload16(v, label) | useless[v], v, label);
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

    for (long e = 0; e < PARTIAL(k, d); e += 8)
        DOUBLES(sums + e)[0] = 0;
    Block known = screen_block(packed, half_, norm, own, k, d);
    for (int i = begin; i < end; i += GROUP) {
        const int rows = min(GROUP, end - i);
        int label[GROUP];
        double8 lanes[GROUP];
        double distance[GROUP], weight[GROUP];
        label_group(features + (long) i * d, last, rows, mean, padded, packed, half_, norm, own, k, d, &known, 0,
            label);
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
                    const double8 value = columns_from(x, t, d, last);
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

    Block known = screen_block(packed, half_, norm, own, m, d);
    for (int i = begin; i < end; i += GROUP) {
        const int rows = min(GROUP, end - i);
        float ceiling[GROUP];
        int label[GROUP];
        for (int r = 0; r < GROUP; r++)
            ceiling[r] = r < rows ? (float) distances[i + r] * 1.000001f : 0;
        label_group(features + (long) i * d, last, rows, mean, padded, packed, half_, norm, own, m, d, &known,
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
