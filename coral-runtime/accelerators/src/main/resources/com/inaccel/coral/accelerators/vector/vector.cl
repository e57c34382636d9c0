/* c[i] = a[i] + b[i] for i in [0, n): one work-item per run of `chunk` elements. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void vector_add(__global const float* a, __global const float* b, __global float* c, const int n, const int chunk)
{
    const long first = (long) get_global_id(0) * chunk;
    const long end = min((long) n, first + chunk);
    for (long i = first; i < end; i++) {
        c[i] = a[i] + b[i];
    }
}
