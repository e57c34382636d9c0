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

#define SERIAL __kernel __attribute__((reqd_work_group_size(1, 1, 1)))

#define CHANNELS 4   // at most
#define TILE 1024    // columns that are worked on at a time, so that their rows stay in a core's cache
#define PAD 32       // before the first of them in a line, and after the last
#define LINE (TILE + 2 * PAD)
#define MOST_RADIUS 15

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

// Reads the columns from..to-1 of a row of pixels, all of them inside the image, into one line a channel. Column x0 lies at
// PAD.
INLINE void read_line(__global const uchar* row, const int channels, const int from, const int to, const int x0,
    uchar (*line)[LINE])
{
    const int shift = PAD - x0;
    int x = from;

    if (channels == 1) {
        for (; x + 16 <= to; x += 16)
            vstore16(vload16(0, row + x), 0, line[0] + x + shift);
    } else if (channels == 3) {
        for (; x + 16 <= to; x += 16) {
            __global const uchar* p = row + 3L * x;
            const uchar16 a = vload16(0, p), b = vload16(1, p), c = vload16(2, p);
            vstore16((uchar16)(a.s0369, a.sc, a.sf, b.s258b, b.se, c.s147a, c.sd), 0, line[0] + x + shift);
            vstore16((uchar16)(a.s147a, a.sd, b.s0369, b.sc, b.sf, c.s258b, c.se), 0, line[1] + x + shift);
            vstore16((uchar16)(a.s258b, a.se, b.s147a, b.sd, c.s0369, c.sc, c.sf), 0, line[2] + x + shift);
        }
    } else if (channels == 4) {
        for (; x + 16 <= to; x += 16) {
            __global const uchar* p = row + 4L * x;
            const uchar16 a = vload16(0, p), b = vload16(1, p), c = vload16(2, p), d = vload16(3, p);
            vstore16((uchar16)(a.s048c, b.s048c, c.s048c, d.s048c), 0, line[0] + x + shift);
            vstore16((uchar16)(a.s159d, b.s159d, c.s159d, d.s159d), 0, line[1] + x + shift);
            vstore16((uchar16)(a.s26ae, b.s26ae, c.s26ae, d.s26ae), 0, line[2] + x + shift);
            vstore16((uchar16)(a.s37bf, b.s37bf, c.s37bf, d.s37bf), 0, line[3] + x + shift);
        }
    }
    for (; x < to; x++)
        for (int c = 0; c < channels; c++)
            line[c][x + shift] = row[(long) x * channels + c];
}
