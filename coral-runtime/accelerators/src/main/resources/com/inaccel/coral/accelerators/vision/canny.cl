// Canny's edge detection, the contract and the kernel that finds local maxima of the gradient. Twice in the program: l1.cl
// and l2.cl say how a gradient is measured.
//
//   smooth(x,y) the image itself with radius 0. Else, for each channel, with weights w (in 1/256, w[0] in the middle):
//               h(x,y) = sum over k = -radius..radius of w[|k|] * image(x+k, y)
//               smooth = (128 + radius + sum over k of (w[|k|] * h(x, y+k) >> 8)) >> 8
//               Beyond its borders the image is mirrored without repeating the border.
//   gradient    Sobel 3x3 of smooth, whose borders are repeated: dx, dy of the first channel that has the largest size;
//               size = |dx| + |dy| (l1) or dx*dx + dy*dy (l2); 0 outside the image
//   direction   across  when 32768 |dy| < 13573 |dx| (22.5 degrees): its neighbours are left and right
//               down    when 32768 |dy| > (13573 + 65536) |dx|: above and below
//               else along the diagonal: above left and below right when dx, dy have one sign, else above right and below left
//   candidate   size > low, size > the first neighbour's, and size >= (on diagonals: >) the second one's
//   edge        a candidate with size > high, and every candidate connected to an edge over its 8 neighbours
//
// The rows of the result are rows firstRow.. of the image; candidates beyond them do not count.

#ifndef CANNY_ONCE
#define CANNY_ONCE

// Smooths a line across, columns from..to-1.
INLINE void smooth_across(const uchar* line, ushort* across, const int from, const int to, const uchar* weights,
    const int radius)
{
    for (int i = from; i < to; i += 16) {
        ushort16 sum = CONVERT(ushort16, LOAD(uchar16, line + i)) * (ushort) weights[0];
        for (int k = 1; k <= radius; k++)
            sum += (CONVERT(ushort16, LOAD(uchar16, line + i - k)) + CONVERT(ushort16, LOAD(uchar16, line + i + k)))
                * (ushort) weights[k];
        STORE(ushort16, across + i, sum);
    }
}

// Smooths 2 * radius + 1 lines down; the ring holds the middle one at `middle`.
INLINE void smooth_down(ushort (*ring)[CHANNELS][LINE], const int channel, uchar* smooth, const int from, const int to,
    const uchar* weights, const int radius, const int first)
{
    const int lines = 2 * radius + 1;
    for (int i = from; i < to; i += 16) {
        ushort16 sum = (ushort16)(128 + radius);
        int slot = first;
        for (int k = 0; k < lines; k++) {
            sum += high_product(LOAD(ushort16, ring[slot][channel] + i), (ushort) (weights[abs(k - radius)] << 8));
            slot = slot + 1 == lines ? 0 : slot + 1;
        }
        STORE(uchar16, smooth + i, CONVERT(uchar16, sum >> (ushort) 8));
    }
}

// One bit of each lane that is set.
INLINE ulong bits16(const short16 mask)
{
#if defined(__clang__) && defined(__SSE2__)
    return (ushort) __builtin_ia32_pmovmskb128(CONVERT(char16, mask));
#else
    const ulong2 ones = as_ulong2(CONVERT(uchar16, mask & (short) 1)) * 0x0102040810204080UL >> 56;
    return ones.x | ones.y << 8;
#endif
}

#endif

// The size of the gradient and its direction (0 across, 1 down, 2 and 3 diagonal) in `count` columns from i on.
INLINE void NAME(gradient)(uchar (*above)[LINE], uchar (*here)[LINE], uchar (*below)[LINE], const int channels,
    MAGNITUDE* sizes, short* directions, const int first, const int end)
{
    for (int i = first; i < end; i += 16) {
        short16 gx, gy;
        MAGNITUDES size;
        for (int c = 0; c < channels; c++) {
            const short16 al = CONVERT(short16, LOAD(uchar16, above[c] + i - 1)), bl = CONVERT(short16, LOAD(uchar16, below[c] + i - 1));
            const short16 ar = CONVERT(short16, LOAD(uchar16, above[c] + i + 1)), br = CONVERT(short16, LOAD(uchar16, below[c] + i + 1));
            const short16 am = CONVERT(short16, LOAD(uchar16, above[c] + i)), bm = CONVERT(short16, LOAD(uchar16, below[c] + i));
            const short16 hl = CONVERT(short16, LOAD(uchar16, here[c] + i - 1)), hr = CONVERT(short16, LOAD(uchar16, here[c] + i + 1));
            const short16 dx = (ar - al) + (br - bl) + (hr - hl) * (short) 2;
            const short16 dy = (bl - al) + (br - ar) + (bm - am) * (short) 2;
            const MAGNITUDES s = SIZES(dx, dy);
            if (c == 0) {
                size = s;
                gx = dx;
                gy = dy;
            } else {
                const short16 larger = AS_SHORTS(s > size);
                size = s > size ? s : size;
                gx = larger ? dx : gx;
                gy = larger ? dy : gy;
            }
        }
        // In 16 bits, |gy| < t for t = 13573 |gx| / 32768 is |gy| <= floor(t): t is no integer unless it is 0, as is the size then.
        const ushort16 ax = as_ushort16(absolute(gx)), ay = as_ushort16(absolute(gy));
        const ushort16 t = high_product(ax << (ushort) 1, 13573);
        const short16 across = ay <= t;
        const short16 down = ay > (ax << (ushort) 1) + t;
        const short16 diagonal = (short16)(2) + (((gx ^ gy) < (short16)(0)) & (short) 1);
        STORE(MAGNITUDES, sizes + i, size);
        STORE(short16, directions + i, (down ? (short16)(1) : diagonal) & ~across);
    }
}

// One word of candidates and of those above the high threshold.
INLINE ulong2 NAME(maxima)(const MAGNITUDE* above, const MAGNITUDE* here, const MAGNITUDE* below, const short* directions,
    const MAGNITUDE low, const MAGNITUDE high, const int first)
{
    ulong2 word = 0;
    for (int part = 0; part < 64; part += 16) {
        const int i = first + part;
        const MAGNITUDES m = LOAD(MAGNITUDES, here + i);
        const short16 over = AS_SHORTS(m > (MAGNITUDES)(low));
        if (!is_any(over))
            continue;
        const short16 direction = LOAD(short16, directions + i);
        const short16 across = AS_SHORTS((m > LOAD(MAGNITUDES, here + i - 1)) & (m >= LOAD(MAGNITUDES, here + i + 1)));
        const short16 down = AS_SHORTS((m > LOAD(MAGNITUDES, above + i)) & (m >= LOAD(MAGNITUDES, below + i)));
        const short16 falling = AS_SHORTS((m > LOAD(MAGNITUDES, above + i - 1)) & (m > LOAD(MAGNITUDES, below + i + 1)));
        const short16 rising = AS_SHORTS((m > LOAD(MAGNITUDES, above + i + 1)) & (m > LOAD(MAGNITUDES, below + i - 1)));
        const short16 peak = (across & (direction == (short16)(0))) | (down & (direction == (short16)(1)))
            | (falling & (direction == (short16)(2))) | (rising & (direction == (short16)(3)));
        const short16 candidate = over & peak;
        word.x |= bits16(candidate) << part;
        word.y |= bits16(candidate & AS_SHORTS(m > (MAGNITUDES)(high))) << part;
    }
    return word;
}

// Finds candidates in a strip of rows, and edges as far as the strip itself tells. Global size: ceil(rows / stripRows).
//   bits  as in edges.cl
SERIAL void NAME(canny)(__global const uchar* restrict image, __global ulong* restrict bits, const int width,
    const int height, const int channels, const int firstRow, const int rows, const int low, const int high,
    const int radius, const int stripRows, const int weights0, const int weights1, const int weights2, const int weights3)
{
    const int begin = get_global_id(0) * stripRows;
    const int y0 = firstRow + begin;
    const int y1 = firstRow + min(rows, begin + stripRows);
    const int words = WORDS(width);
    const int lines = 2 * radius + 1;
    uchar weights[16];
    uchar source[CHANNELS][LINE];
    uchar smooth[3][CHANNELS][LINE];
    ushort ring[2 * MOST_RADIUS + 1][CHANNELS][LINE];
    MAGNITUDE sizes[3][LINE];
    short directions[3][LINE];

    STORE(uchar16, weights, as_uchar16((int4)(weights0, weights1, weights2, weights3)));
    for (int x0 = 0; x0 < width; x0 += TILE) {
        const int tile = min(TILE, width - x0);
        const int from = max(0, x0 - 2);
        const int to = min(width, x0 + tile + 2);
        int next = max(0, y0 - 2) - radius; // row to be smoothed across
        for (int y = y0 - 2; y < y1 + 2; y++) {
            const int row = clamp(y, 0, height - 1);
            uchar (*line)[LINE] = smooth[(y + 3) % 3];
            if (radius == 0) {
                read_line(image + (long) row * width * channels, channels, from, to, x0, line);
            } else {
                for (; next <= row + radius; next++) {
                    __global const uchar* p = image + (long) reflect(next, height) * width * channels;
                    read_line(p, channels, max(0, from - radius), min(width, to + radius), x0, source);
                    for (int c = 0; c < channels; c++) {
                        for (int x = from - radius; x < 0; x++)
                            source[c][x - x0 + PAD] = p[(long) reflect(x, width) * channels + c];
                        for (int x = width; x < to + radius; x++)
                            source[c][x - x0 + PAD] = p[(long) reflect(x, width) * channels + c];
                        smooth_across(source[c], ring[(next + lines) % lines][c], from - x0 + PAD, to - x0 + PAD, weights,
                            radius);
                    }
                }
                for (int c = 0; c < channels; c++)
                    smooth_down(ring, c, line[c], from - x0 + PAD, to - x0 + PAD, weights, radius,
                        (row - radius + lines) % lines);
            }
            for (int c = 0; c < channels; c++) {
                for (int x = x0 - 2; x < from; x++)
                    line[c][x - x0 + PAD] = line[c][from - x0 + PAD];
                for (int x = to; x < x0 + tile + 2; x++)
                    line[c][x - x0 + PAD] = line[c][to - 1 - x0 + PAD];
            }
            if (y < y0)
                continue;
            MAGNITUDE* size = sizes[(y + 2) % 3];
            if (y - 1 < 0 || y - 1 >= height) {
                for (int i = 0; i < LINE; i++)
                    size[i] = 0;
            } else {
                NAME(gradient)(smooth[(y + 1) % 3], smooth[(y + 2) % 3], line, channels, size, directions[(y + 2) % 3],
                    PAD - 1, PAD + tile + 1);
                if (x0 == 0)
                    size[PAD - 1] = 0;
                if (x0 + tile == width)
                    for (int i = PAD + tile; i < PAD + WORDS(tile) * 64 + 1; i++)
                        size[i] = 0;
            }
            if (y < y0 + 2)
                continue;
            __global ulong* out = bits + 2L * (y - 2 - firstRow) * words + x0 / 64;
            for (int k = 0; k < WORDS(tile); k++) {
                const ulong2 word = NAME(maxima)(sizes[y % 3], sizes[(y + 1) % 3], size, directions[(y + 1) % 3],
                    (MAGNITUDE) min(low, GREATEST), (MAGNITUDE) min(high, GREATEST), PAD + k * 64);
                out[k] = word.x;
                out[words + k] = word.y;
            }
        }
    }
    __global ulong* strip = bits + 2L * begin * words;
    for (int y = 0; y < y1 - y0; y++)
        reach(strip + 2L * y * words, 0, words);
    settle(strip, y1 - y0, words, ~0UL >> (64 - (y1 - y0)));
}
