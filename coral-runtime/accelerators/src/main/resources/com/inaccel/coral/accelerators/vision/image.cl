// Shared by the kernels for 8-bit images; the host puts this text in front of theirs.
//
// Work-groups are one work-item large, which works on a strip of rows: vectors are written out, as drivers for CPUs make
// none of such work-items. All that decides a pixel is in integers, so results depend on neither device nor strips.

#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#pragma OPENCL FP_CONTRACT OFF

// Helpers melt into their kernels: a call would pass vectors through memory.
#ifdef __clang__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

// Conversions of whole vectors: drivers' own may go lane by lane.
#if defined(__has_builtin)
#if __has_builtin(__builtin_convertvector)
#define CONVERT(type, x) __builtin_convertvector(x, type)
#endif
#endif
#ifndef CONVERT
#define CONVERT(type, x) convert_##type(x)
#endif

// Vectors at addresses that are aligned for their elements only: drivers' own loads and stores may go lane by lane.
#ifdef __clang__
typedef uchar4 uchar4_at __attribute__((aligned(1)));
typedef uchar8 uchar8_at __attribute__((aligned(1)));
typedef uchar16 uchar16_at __attribute__((aligned(1)));
typedef short16 short16_at __attribute__((aligned(2)));
typedef ushort16 ushort16_at __attribute__((aligned(2)));
typedef ushort ushort_at __attribute__((aligned(1)));
typedef int16 int16_at __attribute__((aligned(4)));
#define LOAD(type, p) LOAD_(type, p)
#define LOAD_(type, p) (*(const type##_at*) (p))
#define STORE(type, p, value) STORE_(type, p, value)
#define STORE_(type, p, value) (*(type##_at*) (p) = (value))
#define LOAD_GLOBAL(type, p) (*(__global const type##_at*) (p))
#define STORE_GLOBAL(type, p, value) (*(__global type##_at*) (p) = (value))
#else
#define LOADS_uchar4 vload4
#define LOADS_uchar8 vload8
#define LOADS_uchar16 vload16
#define LOADS_short16 vload16
#define LOADS_ushort16 vload16
#define LOADS_int16 vload16
#define LOADS_ushort(zero, p) as_ushort(vload2(zero, p))
#define STORES_uchar4 vstore4
#define STORES_uchar16 vstore16
#define STORES_short16 vstore16
#define STORES_ushort16 vstore16
#define STORES_int16 vstore16
#define LOAD(type, p) LOAD_(type, p)
#define LOAD_(type, p) LOADS_##type(0, p)
#define STORE(type, p, value) STORE_(type, p, value)
#define STORE_(type, p, value) STORES_##type(value, 0, p)
#define LOAD_GLOBAL(type, p) LOADS_##type(0, p)
#define STORE_GLOBAL(type, p, value) STORES_##type(value, 0, p)
#endif

#define SERIAL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))

#define CHANNELS 4   // at most
#define TILE 1024    // columns that are worked on at a time, so that their rows stay in a core's cache
#define PAD 32       // before the first of them in a line, and after the last
#define LINE (TILE + 2 * PAD)
#define MOST_RADIUS 15

INLINE short16 absolute(const short16 x)
{
    return x < (short) 0 ? -x : x;
}

// The upper halves of the products.
INLINE ushort16 high_product(const ushort16 a, const ushort b)
{
    return CONVERT(ushort16, (CONVERT(uint16, a) * (uint) b) >> 16u);
}

INLINE bool is_any(const short16 mask)
{
    const ulong4 words = as_ulong4(mask);
    return (words.x | words.y | words.z | words.w) != 0;
}

// p mirrored at both ends of 0..length-1 without repeating them.
INLINE int reflect(const int p, const int length)
{
    if (p >= 0 && p < length)
        return p;
    if (length == 1)
        return 0;
    const int period = 2 * (length - 1);
    const int folded = ((p % period) + period) % period;
    return folded < length ? folded : period - folded;
}

// Lanes of a and b, then of those and c.
#ifdef __clang__
#define LANES(...) __VA_ARGS__
#define SHUFFLE2(a, b, lanes) __builtin_shufflevector(a, b, LANES lanes)
#else
#define SHUFFLE2(a, b, lanes) shuffle2(a, b, (uchar16) lanes)
#endif
#define SHUFFLE3(a, b, c, first, second) SHUFFLE2(SHUFFLE2(a, b, first), c, second)

// Reads the columns from..to-1 of a row of pixels, all of them inside the image, into one line a channel. Column x0 lies at
// PAD.
INLINE void read_line(__global const uchar* row, const int channels, const int from, const int to, const int x0,
    uchar (*line)[LINE])
{
    const int shift = PAD - x0;
    int x = from;

    if (channels == 1) {
        for (; x + 16 <= to; x += 16)
            STORE(uchar16, line[0] + x + shift, LOAD_GLOBAL(uchar16, row + x));
    } else if (channels == 3) {
        for (; x + 16 <= to; x += 16) {
            __global const uchar* p = row + 3L * x;
            const uchar16 a = LOAD_GLOBAL(uchar16, p), b = LOAD_GLOBAL(uchar16, p + 16), c = LOAD_GLOBAL(uchar16, p + 32);
            STORE(uchar16, line[0] + x + shift, SHUFFLE3(a, b, c, (0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0),
                (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29)));
            STORE(uchar16, line[1] + x + shift, SHUFFLE3(a, b, c, (1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0),
                (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30)));
            STORE(uchar16, line[2] + x + shift, SHUFFLE3(a, b, c, (2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0),
                (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31)));
        }
    } else if (channels == 4) {
        for (; x + 16 <= to; x += 16) {
            __global const uchar* p = row + 4L * x;
            const uchar16 a = LOAD_GLOBAL(uchar16, p), b = LOAD_GLOBAL(uchar16, p + 16);
            const uchar16 c = LOAD_GLOBAL(uchar16, p + 32), d = LOAD_GLOBAL(uchar16, p + 48);
            STORE(uchar16, line[0] + x + shift, (uchar16)(a.s048c, b.s048c, c.s048c, d.s048c));
            STORE(uchar16, line[1] + x + shift, (uchar16)(a.s159d, b.s159d, c.s159d, d.s159d));
            STORE(uchar16, line[2] + x + shift, (uchar16)(a.s26ae, b.s26ae, c.s26ae, d.s26ae));
            STORE(uchar16, line[3] + x + shift, (uchar16)(a.s37bf, b.s37bf, c.s37bf, d.s37bf));
        }
    }
    for (; x < to; x++)
        for (int c = 0; c < channels; c++)
            line[c][x + shift] = row[(long) x * channels + c];
}
