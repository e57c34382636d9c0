// canny.cl once more for gradients measured as dx * dx + dy * dy, at most 2 * 1020 * 1020.
#undef NAME
#undef MAGNITUDE
#undef MAGNITUDES
#undef GREATEST
#undef AS_SHORTS
#undef SIZES
#define NAME(f) f##_l2
#define MAGNITUDE int
#define MAGNITUDES int16
#define GREATEST 2147483647
#define AS_SHORTS(mask) CONVERT(short16, mask)
#define SIZES(dx, dy) (CONVERT(int16, dx) * CONVERT(int16, dx) + CONVERT(int16, dy) * CONVERT(int16, dy))
