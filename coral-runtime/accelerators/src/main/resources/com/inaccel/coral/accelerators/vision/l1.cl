// canny.cl once for gradients measured as |dx| + |dy|, at most 2040.
#define NAME(f) f##_l1
#define MAGNITUDE short
#define MAGNITUDES short16
#define GREATEST 32767
#define AS_SHORTS(mask) (mask)
#define SIZES(dx, dy) (absolute(dx) + absolute(dy))
