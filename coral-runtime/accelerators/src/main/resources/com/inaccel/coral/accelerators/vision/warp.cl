// An affine map of an image, the contract and the kernel.
//
//   The map leads from the result to the image: result pixel (u, v) lies at x = m0 u + m1 v + m2, y = m3 u + m4 v + m5.
//   In units of 1/1024 pixel, each rounded to nearest, ties to even, as doubles limited to 2^40:
//     x = rint(m0 * u * 1024) + rint((m1 * v + m2) * 1024) + d, d = 16 (bilinear) or 512 (nearest); y likewise; limited to 2^30
//   nearest   the pixel (x >> 10, y >> 10)
//   bilinear  of the 4 pixels from (x >> 10, y >> 10) on, with fx = (x >> 5) & 31 and fy:
//             (((32-fx) p00 + fx p10) (32-fy) + ((32-fx) p01 + fx p11) fy + 512) >> 10
//   border    of pixels outside: 0 byte c of value for channel c, 1 the nearest one, 2 mirrored without repeating the border,
//             3 wrapped around
//
// u, v count from outLeft, outTop; x, y of the image's first pixel are left, top.

#define COLUMNS 128      // whose coordinates are computed once for a strip; few enough that what they read stays in a core's cache
#define NEAR (1L << 29)  // sums of two of these are ints
#define FAR 0x1p40

// Adding this to a double below 2^51, and taking it off again, rounds it to nearest, ties to even.
#define ROUNDING 0x1.8p52

INLINE long units(const double exact)
{
    const double near = exact < -FAR ? -FAR : exact > FAR ? FAR : exact;
    return (long) ((near + ROUNDING) - ROUNDING);
}

INLINE int limited(const long units)
{
    return (int) clamp(units, -(1L << 30), (1L << 30) - 1);
}

INLINE int fold(const int p, const int length, const int border)
{
    if (p >= 0 && p < length)
        return p;
    if (border == 1)
        return clamp(p, 0, length - 1);
    if (border == 2)
        return reflect(p, length);
    const int rest = p % length;
    return rest < 0 ? rest + length : rest;
}

INLINE int pixel(__global const uchar* image, const int width, const int height, const int channels, const int border,
    const uint value, const int x, const int y, const int c)
{
    if (border == 0 && (x < 0 || x >= width || y < 0 || y >= height))
        return value >> (8 * c) & 255;
    return image[((long) fold(y, height, border) * width + fold(x, width, border)) * channels + c];
}

// Any one pixel of the result. Not inlined: it is the seldom case.
static void one(__global const uchar* image, __global uchar* out, const int width, const int height, const int channels,
    const int bilinear, const int border, const uint value, const int x, const int y)
{
    const int column = x >> 10, row = y >> 10;
    for (int c = 0; c < channels; c++) {
        const int p00 = pixel(image, width, height, channels, border, value, column, row, c);
        if (!bilinear) {
            out[c] = p00;
            continue;
        }
        const int fx = x >> 5 & 31, fy = y >> 5 & 31;
        const int p10 = pixel(image, width, height, channels, border, value, column + 1, row, c);
        const int p01 = pixel(image, width, height, channels, border, value, column, row + 1, c);
        const int p11 = pixel(image, width, height, channels, border, value, column + 1, row + 1, c);
        const int upper = p00 * (32 - fx) + p10 * fx;
        const int lower = p01 * (32 - fx) + p11 * fx;
        out[c] = (upper * (32 - fy) + lower * fy + 512) >> 10;
    }
}

// Between sums a and b of at most 32 * 255, b weighing f of 32, rounded: (a * (32 - f) + b * f + 512) >> 10, in 16 bits. As
// 32 a + 512 is a multiple of 32, (b - a) * f may be divided by 32 first, which is the upper half of 4 (b - a) * 512 f.
#if defined(__clang__) && defined(__AVX2__)
INLINE short16 between16(const short16 a, const short16 b, const short16 f)
{
    return (a + as_short16(__builtin_ia32_pmulhw256((b - a) << (short) 2, f << (short) 9)) + (short) 16) >> (short) 5;
}
#else
INLINE short16 between16(const short16 a, const short16 b, const short16 f)
{
    return (a + CONVERT(short16, (CONVERT(int16, b - a) * CONVERT(int16, f)) >> 5) + (short) 16) >> (short) 5;
}
#endif

#if defined(__clang__) && defined(__SSE2__)
INLINE short8 between8(const short8 a, const short8 b, const short f)
{
    return (a + as_short8(__builtin_ia32_pmulhw128((b - a) << (short) 2, (short8)((short) (f << 9)))) + (short) 16) >> (short) 5;
}
#else
INLINE short8 between8(const short8 a, const short8 b, const short f)
{
    return (a + CONVERT(short8, (CONVERT(int8, b - a) * (int) f) >> 5) + (short) 16) >> (short) 5;
}
#endif

// 16 pixels, all of whose neighbours lie inside the image; their offsets, and between pixels their weights.
INLINE void bilinear1(__global const uchar* image, __global uchar* out, const int width, const int* at, const short16 right,
    const short16 down)
{
    ushort upper[16], lower[16];
    for (int i = 0; i < 16; i++) {
        __global const uchar* p = image + at[i];
        upper[i] = LOAD_GLOBAL(ushort, p);
        lower[i] = LOAD_GLOBAL(ushort, p + width);
    }
    const ushort16 u = LOAD(ushort16, upper), l = LOAD(ushort16, lower);
    const short16 u0 = as_short16(u & (ushort) 255), l0 = as_short16(l & (ushort) 255);
    const short16 a = (u0 << (short) 5) + (as_short16(u >> (ushort) 8) - u0) * right;
    const short16 b = (l0 << (short) 5) + (as_short16(l >> (ushort) 8) - l0) * right;
    STORE_GLOBAL(uchar16, out, CONVERT(uchar16, between16(a, b, down)));
}

// The 8 bytes from p and those of the next row, `down` of 32 between the rows.
INLINE short8 rows_between(__global const uchar* p, const long stride, const short down)
{
    const short8 a = CONVERT(short8, LOAD_GLOBAL(uchar8, p));
    return (a << (short) 5) + (CONVERT(short8, LOAD_GLOBAL(uchar8, p + stride)) - a) * down;
}

INLINE void bilinear3(__global const uchar* image, __global uchar* out, const int width, const int* at, const short16 right,
    const short16 down)
{
    short rights[16], downs[16];
    uchar pixels[3 * 16 + 8];
    STORE(short16, rights, right);
    STORE(short16, downs, down);
    for (int i = 0; i < 16; i++) {
        const short8 v = rows_between(image + at[i], 3L * width, downs[i]);
        STORE(uchar4, pixels + 3 * i, CONVERT(uchar8, between8(v, v.s34567777, rights[i])).lo);
    }
    STORE_GLOBAL(uchar16, out, LOAD(uchar16, pixels));
    STORE_GLOBAL(uchar16, out + 16, LOAD(uchar16, pixels + 16));
    STORE_GLOBAL(uchar16, out + 32, LOAD(uchar16, pixels + 32));
}

INLINE void bilinear4(__global const uchar* image, __global uchar* out, const int width, const int* at, const short16 right,
    const short16 down)
{
    short rights[16], downs[16];
    STORE(short16, rights, right);
    STORE(short16, downs, down);
    for (int i = 0; i < 16; i++) {
        const short8 v = rows_between(image + at[i], 4L * width, downs[i]);
        STORE_GLOBAL(uchar4, out + 4 * i, CONVERT(uchar8, between8(v, v.s45677777, rights[i])).lo);
    }
}

// 16 pixels as they are. Of three channels four bytes each, all but the last, whose fourth byte is not there to be written.
INLINE void nearest(__global const uchar* image, __global uchar* out, const int channels, const int* at)
{
    if (channels == 1) {
        uchar pixels[16];
        for (int i = 0; i < 16; i++)
            pixels[i] = image[at[i]];
        STORE_GLOBAL(uchar16, out, LOAD(uchar16, pixels));
    } else if (channels == 3) {
        for (int i = 0; i < 15; i++)
            STORE_GLOBAL(uchar4, out + 3 * i, LOAD_GLOBAL(uchar4, image + at[i]));
        for (int c = 0; c < 3; c++)
            out[45 + c] = image[at[15] + c];
    } else if (channels == 4) {
        for (int i = 0; i < 16; i++)
            STORE_GLOBAL(uchar4, out + 4 * i, LOAD_GLOBAL(uchar4, image + at[i]));
    } else {
        for (int i = 0; i < 16; i++)
            for (int c = 0; c < channels; c++)
                out[i * channels + c] = image[at[i] + c];
    }
}

// Global size: ceil(outHeight / stripRows).
SERIAL void warp_affine(__global const uchar* restrict image, __global uchar* restrict result, const int width,
    const int height, const int channels, const int outWidth, const int outHeight, const int left, const int top,
    const int outLeft, const int outTop, const double m0, const double m1, const double m2, const double m3,
    const double m4, const double m5, const int bilinear, const int border, const int value, const int stripRows)
{
    const int begin = get_global_id(0) * stripRows;
    const int end = min(outHeight, begin + stripRows);
    const int delta = bilinear ? 16 : 512;
    // The last column and row from where all that a vector of pixels reads lies inside. Two channels take the slow way.
    const int lastColumn = channels == 3 ? width - 3 : !bilinear ? width - 1 : channels == 2 ? -1 : width - 2;
    const int lastRow = bilinear ? height - 2 : height - 1;
    long columnX[COLUMNS], columnY[COLUMNS];
    int nearX[COLUMNS], nearY[COLUMNS];

    for (int u0 = 0; u0 < outWidth; u0 += COLUMNS) {
        const int columns = min(COLUMNS, outWidth - u0);
        for (int u = 0; u < columns; u++) {
            columnX[u] = units(m0 * (double) (u0 + u + outLeft) * 1024);
            columnY[u] = units(m3 * (double) (u0 + u + outLeft) * 1024);
            nearX[u] = (int) (columnX[u] - columnX[0]);
            nearY[u] = (int) (columnY[u] - columnY[0]);
        }
        // Coordinates only grow or only shrink along a row.
        const bool columnsNear = abs(columnX[columns - 1] - columnX[0]) < NEAR && abs(columnY[columns - 1] - columnY[0]) < NEAR;
        for (int v = begin; v < end; v++) {
            const long rowX = units((m1 * (double) (v + outTop) + m2) * 1024) + delta - left * 1024L;
            const long rowY = units((m4 * (double) (v + outTop) + m5) * 1024) + delta - top * 1024L;
            const long firstX = rowX + columnX[0], firstY = rowY + columnY[0];
            const bool ints = columnsNear && firstX > -NEAR && firstX < NEAR && firstY > -NEAR && firstY < NEAR;
            __global uchar* out = result + ((long) v * outWidth + u0) * channels;
            int u = 0;
            for (; ints && u + 16 <= columns; u += 16, out += 16 * channels) {
                const int16 x = LOAD(int16, nearX + u) + (int) firstX;
                const int16 y = LOAD(int16, nearY + u) + (int) firstY;
                const int x0 = min(x.s0, x.sf) >> 10, x1 = max(x.s0, x.sf) >> 10;
                const int y0 = min(y.s0, y.sf) >> 10, y1 = max(y.s0, y.sf) >> 10;
                if (x0 >= 0 && x1 <= lastColumn && y0 >= 0 && y1 <= lastRow) {
                    const short16 right = CONVERT(short16, (x >> 5) & 31), down = CONVERT(short16, (y >> 5) & 31);
                    int at[16];
                    STORE(int16, at, ((y >> 10) * width + (x >> 10)) * channels);
                    if (!bilinear)
                        nearest(image, out, channels, at);
                    else if (channels == 1)
                        bilinear1(image, out, width, at, right, down);
                    else if (channels == 3)
                        bilinear3(image, out, width, at, right, down);
                    else
                        bilinear4(image, out, width, at, right, down);
                } else if (border == 0 && (x1 < -1 || x0 >= width || y1 < -1 || y0 >= height)) {
                    for (int i = 0; i < 16; i++)
                        for (int c = 0; c < channels; c++)
                            out[i * channels + c] = (uint) value >> (8 * c);
                } else {
                    for (int i = 0; i < 16; i++)
                        one(image, out + i * channels, width, height, channels, bilinear, border, value,
                            (int) firstX + nearX[u + i], (int) firstY + nearY[u + i]);
                }
            }
            for (; u < columns; u++, out += channels)
                one(image, out, width, height, channels, bilinear, border, value, limited(rowX + columnX[u]),
                    limited(rowY + columnY[u]));
        }
    }
}
