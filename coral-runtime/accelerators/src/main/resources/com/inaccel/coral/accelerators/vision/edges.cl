// Edges as bits: what the last steps of canny.cl work on.
//
//   bits  ulong[rows][2][words(width)]: of each row the pixels that are local maxima above the low threshold, and those of
//         them that are edges. Bit x % 64 of word x / 64 is column x; bits behind the last column are zero.

#define WORDS(width) (((width) + 63) / 64)

// Lets bits grow within the runs of c that they lie in.
INLINE ulong grow(ulong seeds, const ulong c)
{
    ulong up = c, down = c;
    for (int step = 1; step < 64; step *= 2) {
        seeds |= up & (seeds << step);
        up &= up << step;
    }
    for (int step = 1; step < 64; step *= 2) {
        seeds |= down & (seeds >> step);
        down &= down >> step;
    }
    return seeds;
}

// Makes edges of the row's candidates that are connected to edges of the row `other`, next to it (may be null), or to its
// own. Whether there was one.
INLINE bool reach(__global ulong* row, __global const ulong* other, const int words)
{
    __global const ulong* candidates = row;
    __global ulong* edges = row + words;
    ulong carry = 0, changed = 0;

    for (int k = 0; k < words; k++) {
        const ulong c = candidates[k];
        const ulong before = edges[k];
        ulong seeds = before | carry;
        if (other) {
            const ulong o = other[k];
            seeds |= o | o << 1 | o >> 1;
            if (k > 0)
                seeds |= other[k - 1] >> 63;
            if (k + 1 < words)
                seeds |= other[k + 1] << 63;
        }
        seeds &= c;
        const ulong after = seeds == 0 || seeds == c ? seeds : grow(seeds, c);
        if (after != before) {
            edges[k] = after;
            changed |= after ^ before;
        }
        carry = after >> 63;
    }
    for (int k = words - 2; k >= 0; k--) {
        const ulong last = edges[k + 1] << 63 & candidates[k] & ~edges[k];
        if (last) {
            edges[k] = grow(edges[k] | last, candidates[k]);
            changed |= last;
        }
    }
    return changed != 0;
}

// Lets edges grow within a strip of at most 64 rows. Bits of `fresh`: rows that the rows above and below do not know yet.
INLINE void settle(__global ulong* strip, const int rows, const int words, const ulong fresh)
{
    const long stride = 2L * words;
    ulong toBelow = fresh & ~(1UL << (rows - 1)); // whose edges the next row has yet to look at
    ulong toAbove = fresh & ~1UL;

    while (toBelow | toAbove) {
        for (int y = 1; y < rows && toBelow; y++) {
            if (toBelow >> (y - 1) & 1) {
                toBelow &= ~(1UL << (y - 1));
                if (reach(strip + y * stride, strip + (y - 1) * stride + words, words)) {
                    toAbove |= 1UL << y;
                    if (y + 1 < rows)
                        toBelow |= 1UL << y;
                }
            }
        }
        for (int y = rows - 2; y >= 0 && toAbove; y--) {
            if (toAbove >> (y + 1) & 1) {
                toAbove &= ~(1UL << (y + 1));
                if (reach(strip + y * stride, strip + (y + 1) * stride + words, words)) {
                    toBelow |= 1UL << y;
                    if (y > 0)
                        toAbove |= 1UL << y;
                }
            }
        }
    }
}

// Joins the strips, each of which has settled by itself. Global size: 1, as little is left to do.
SERIAL void canny_join(__global ulong* bits, const int width, const int rows, const int stripRows)
{
    const int words = WORDS(width);
    const long stride = 2L * words;
    bool changed = true;

    while (changed) {
        changed = false;
        for (int y = stripRows; y < rows; y += stripRows) {
            if (reach(bits + y * stride, bits + (y - 1) * stride + words, words)) {
                settle(bits + y * stride, min(stripRows, rows - y), words, 1);
                changed = true;
            }
        }
        for (int y = (rows - 1) / stripRows * stripRows; y > 0; y -= stripRows) {
            if (reach(bits + (y - 1) * stride, bits + y * stride + words, words)) {
                settle(bits + (y - stripRows) * stride, stripRows, words, 1UL << (stripRows - 1));
                changed = true;
            }
        }
    }
}

// 255 for each bit.
INLINE uchar16 bytes(const ulong word, const int from)
{
    const uchar16 bit = (uchar16)(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
    const uchar16 all = (uchar16)((uchar8)((uchar) (word >> from)), (uchar8)((uchar) (word >> (from + 8))));
    return as_uchar16((all & bit) != (uchar16)(0));
}

// Writes a byte a pixel: 255 for an edge, 1 for a candidate that is none where `weak` is 1, 0. Global size: strips.
SERIAL void canny_write(__global const ulong* restrict bits, __global uchar* restrict edges, const int width, const int rows,
    const int weak, const int stripRows)
{
    const int words = WORDS(width);
    const int from = get_global_id(0) * stripRows;
    const int to = min(rows, from + stripRows);

    for (int y = from; y < to; y++) {
        __global const ulong* row = bits + 2L * y * words;
        __global uchar* out = edges + (long) y * width;
        for (int k = 0; k < words; k++) {
            const ulong edge = row[words + k];
            const ulong candidate = weak ? row[k] : 0;
            for (int part = 0; part < 64; part += 16) {
                const int x = k * 64 + part;
                const uchar16 value = bytes(edge, part) | (bytes(candidate, part) & (uchar) 1);
                if (x + 16 <= width) {
                    STORE_GLOBAL(uchar16, out + x, value);
                } else {
                    uchar values[16];
                    STORE(uchar16, values, value);
                    for (int i = 0; i < width - x; i++)
                        out[x + i] = values[i];
                }
            }
        }
    }
}
