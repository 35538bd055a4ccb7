#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

WT_CLONES void wt_gelu(float *restrict out, const float *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++)
    out[i] = 0.5f * in[i] * (1.0f + wt_erf(in[i] * 0.70710678f));
}

void wt_gelu_scalar(float *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double x = in[i];
    out[i] = (float)(0.5 * x * (1 + erf(x * 0.70710678118654752)));
  }
}
