#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

// The vector unit's own square root; the library's would set errno and stay scalar.
#pragma clang fp contract(fast)

WT_CLONES void wt_adamw(float *restrict value, const float *restrict gradient, float *restrict mean,
                        float *restrict square, size_t count, const wt_adamw_step *restrict step) {
  const float kept = step->kept, first = step->first_share, second_kept = step->second_kept,
              second = step->second_share, size = step->size, root = step->root,
              epsilon = step->epsilon;
  for (size_t i = 0; i < count; i++) {
    float slope = gradient[i];
    float m = mean[i] + first * (slope - mean[i]);
    float v = square[i] * second_kept + second * slope * slope;
    mean[i] = m;
    square[i] = v;
    value[i] = value[i] * kept + size * m / (__builtin_elementwise_sqrt(v) / root + epsilon);
  }
}

void wt_adamw_scalar(float *value, const float *gradient, float *mean, float *square, size_t count,
                     const wt_adamw_step *step) {
  for (size_t i = 0; i < count; i++) {
    double slope = gradient[i];
    double m = mean[i] + step->first_share * (slope - mean[i]);
    double v = (double)square[i] * step->second_kept + step->second_share * slope * slope;
    mean[i] = (float)m;
    square[i] = (float)v;
    value[i] = (float)((double)value[i] * step->kept +
                       step->size * m / (sqrt(v) / step->root + step->epsilon));
  }
}
