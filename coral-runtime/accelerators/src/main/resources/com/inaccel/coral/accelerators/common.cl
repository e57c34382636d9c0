// Shared by the kernels that pass over rows of features; the host puts this text in front of theirs.
//
// Built twice, -DREAL=float and -DREAL=double. REAL is how features are stored and nothing more: everything that decides
// something, and every sum, is in double, and nothing is contracted; where a product and a sum are to be rounded once, the
// text says fma. So the results do not depend on REAL's arithmetic, on the device, or on how work-items are scheduled: a
// pure-Java twin gives the same bits. Do not build with -cl-fast-relaxed-math or any of the options it implies.

#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#pragma OPENCL FP_CONTRACT OFF

// Build options: -DREAL=float or -DREAL=double; dimensions are arguments, so one build serves all shapes.

// LLVM prefers 256-bit vectors on some AVX-512 targets and would split every 512-bit one; a kernel that says it needs
// 512 bits keeps them. Elsewhere the attribute means nothing.
#if defined(__clang__) && defined(__AVX512F__)
#define WIDE __attribute__((min_vector_width(512)))
#else
#define WIDE
#endif

// Helpers melt into their kernels: a call would pass vectors through memory.
#ifdef __clang__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

// Asks for the cache line at p. Only a hint, so p may lie past a buffer's end.
#if defined(__clang__) && (defined(__x86_64__) || defined(__aarch64__))
#define PREFETCH(p) __builtin_prefetch((const void*) (size_t) (p), 0, 2)
#else
#define PREFETCH(p)
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#define SERIAL __kernel __attribute__((reqd_work_group_size(1, 1, 1))) WIDE

// The first 8 or fewer columns from x[t]; zeros for columns >= d. Reading past a row is reading the next one, except at
// the end of the features.
INLINE double8 columns_from(__global const REAL* x, const int t, const int d, __global const REAL* end)
{
    const long8 lane = (long8)(0, 1, 2, 3, 4, 5, 6, 7);
    if (x + t + 8 <= end)
        return select((double8)(0), convert_double8(vload8(0, x + t)), lane < (long8)(d - t));
    double v[8];
    for (int l = 0; l < 8; l++)
        v[l] = t + l < d ? x[t + l] : 0;
    return vload8(0, v);
}

// The sum of a vector's lanes: ((a0+a4) + (a2+a6)) + ((a1+a5) + (a3+a7)).
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

// How many doubles of a partial one work-item of reduce adds up.
#define REDUCE_CHUNK 64

// Adds the partials of all blocks, element by element in ascending block order, starting from block 0's value.
//
// A partial is [rows x `stride` doubles, the first `columns` of each row meaningful | tail | padding], `length` doubles in
// all, a multiple of 8. Element (row, column) of the result lies at row * rowStep + column * columnStep, the tail behind.
// Global size: ceil(length / REDUCE_CHUNK).
SERIAL void reduce(__global const double* restrict partials, __global double* restrict result,
    const int rows, const int columns, const int stride, const int rowStep, const int columnStep, const int tail,
    const int length, const int blocks)
{
    const long from = (long) get_global_id(0) * REDUCE_CHUNK;
    const long sums = (long) rows * stride;
    const long used = sums + tail;
    double total[REDUCE_CHUNK];

    if (from + REDUCE_CHUNK <= length) {
        __global const double* p = partials + from;
        double8 s0 = vload8(0, p), s1 = vload8(1, p), s2 = vload8(2, p), s3 = vload8(3, p);
        double8 s4 = vload8(4, p), s5 = vload8(5, p), s6 = vload8(6, p), s7 = vload8(7, p);
        for (int block = 1; block < blocks; block++) {
            p += length;
            s0 += vload8(0, p); s1 += vload8(1, p); s2 += vload8(2, p); s3 += vload8(3, p);
            s4 += vload8(4, p); s5 += vload8(5, p); s6 += vload8(6, p); s7 += vload8(7, p);
        }
        vstore8(s0, 0, total); vstore8(s1, 1, total); vstore8(s2, 2, total); vstore8(s3, 3, total);
        vstore8(s4, 4, total); vstore8(s5, 5, total); vstore8(s6, 6, total); vstore8(s7, 7, total);
    } else {
        for (long e = from; e < length; e += 8) {
            __global const double* p = partials + e;
            double8 s = vload8(0, p);
            for (int block = 1; block < blocks; block++) {
                p += length;
                s += vload8(0, p);
            }
            vstore8(s, 0, total + (e - from));
        }
    }

    const long to = min(from + REDUCE_CHUNK, used);
    long row = from / stride;
    long column = from % stride;
    for (long e = from; e < to; e++) {
        if (e >= sums) {
            result[(long) rows * columns + (e - sums)] = total[e - from];
        } else {
            if (column < columns)
                result[row * rowStep + (long) column * columnStep] = total[e - from];
            if (++column == stride) {
                column = 0;
                row++;
            }
        }
    }
}
