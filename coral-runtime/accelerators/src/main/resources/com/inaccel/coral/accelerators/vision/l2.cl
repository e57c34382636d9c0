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
#define AS_SHORTS(mask) convert_short16(mask)
#define SIZES(dx, dy) (convert_int16(dx) * convert_int16(dx) + convert_int16(dy) * convert_int16(dy))
