// What this device can do at best: fused multiply-adds from registers, and reads of memory each used once.
// REAL is float or double; VECTOR a vector of 64 bytes of them. CHAINS: how many FMAs do not depend on each other; enough
// to hide the latency of one, and few enough that each has its registers, which differs from device to device.

// Global size: any. FMAs of one work-item: rounds * CHAINS * lanes.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void peak(__global REAL* restrict out, const int rounds, const REAL factor)
{
    VECTOR a[CHAINS];
    for (int c = 0; c < CHAINS; c++)
        a[c] = (VECTOR)(c);
    const VECTOR f = (VECTOR)(factor);
    for (int r = 0; r < rounds; r++) {
        #pragma unroll
        for (int c = 0; c < CHAINS; c++)
            a[c] = fma(a[c], f, f);
    }
    VECTOR sum = a[0];
    for (int c = 1; c < CHAINS; c++)
        sum += a[c];
    out[get_global_id(0)] = sum.s0 + sum.s1;
}

// Adds up one part of the memory. `vectors`: how many a work-item reads, a multiple of 8.
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void bandwidth(__global const VECTOR* restrict in, __global REAL* restrict out, const int vectors)
{
    __global const VECTOR* part = in + (long) get_global_id(0) * vectors;
    VECTOR a[8];
    for (int c = 0; c < 8; c++)
        a[c] = (VECTOR)(0);
    for (int v = 0; v < vectors; v += 8) {
        #pragma unroll
        for (int c = 0; c < 8; c++)
            a[c] += part[v + c];
    }
    VECTOR sum = a[0];
    for (int c = 1; c < 8; c++)
        sum += a[c];
    out[get_global_id(0)] = sum.s0 + sum.s1;
}
