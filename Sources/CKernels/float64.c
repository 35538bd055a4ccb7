#include "elementary.h"
#include "wt_kernels.h"

// The numbers in files need not be aligned, so they go through memcpy.
WT_CLONES void wt_from_float32(double *restrict out, const void *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float number;
    memcpy(&number, (const char *)in + i * sizeof number, sizeof number);
    out[i] = number;
  }
}

WT_CLONES void wt_to_float32(void *restrict out, const double *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float number = (float)in[i];
    memcpy((char *)out + i * sizeof number, &number, sizeof number);
  }
}

// Counting what is not below keeps the loop free of jumps; a NaN is not below anything.
WT_CLONES int wt_are_below(const double *restrict in, size_t count, double limit) {
  uint64_t beyond = 0;
  for (size_t i = 0; i < count; i++) beyond += !(__builtin_fabs(in[i]) < limit);
  return beyond == 0;
}

int wt_are_below_scalar(const double *in, size_t count, double limit) {
  for (size_t i = 0; i < count; i++)
    if (!(in[i] < limit && in[i] > -limit)) return 0;
  return 1;
}
