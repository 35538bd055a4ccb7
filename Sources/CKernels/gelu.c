#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

WT_CLONES void wt_gelu(float *out, const float *in, size_t count) {
#pragma clang loop vectorize(assume_safety)
  for (size_t i = 0; i < count; i++)
    out[i] = 0.5f * in[i] * (1.0f + wt_erf(in[i] * 0.70710678f));
}

void wt_gelu_scalar(float *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double x = in[i];
    out[i] = (float)(0.5 * x * (1 + erf(x * 0.70710678118654752)));
  }
}

WT_CLONES void wt_gelu_backward(float *restrict gradient, const float *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    float below = 0.5f * (1.0f + wt_erf(in[i] * 0.70710678f));
    float density = 0.39894228f * wt_exp(-0.5f * in[i] * in[i]);
    gradient[i] *= below + in[i] * density;
  }
}

void wt_gelu_backward_scalar(float *gradient, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double x = in[i];
    double below = 0.5 * (1 + erf(x * 0.70710678118654752));
    gradient[i] = (float)(gradient[i] * (below + x * 0.39894228040143268 * exp(-0.5 * x * x)));
  }
}
