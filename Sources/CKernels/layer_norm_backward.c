#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

WT_CLONES void wt_layer_norm_backward(float *restrict out, const float *restrict gradient,
                                      const float *restrict in, const float *restrict gain,
                                      float *restrict gain_gradient,
                                      float *restrict bias_gradient, size_t rows, size_t columns,
                                      float epsilon) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t row = 0; row < rows; row++) {
    const float *x = in + row * columns, *g = gradient + row * columns;
    float sum = 0, squares = 0, slope = 0, pull = 0;
    for (size_t i = 0; i < columns; i++) sum += x[i];
    float mean = sum / (float)columns;
    for (size_t i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf(squares / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) {
      slope += g[i] * gain[i];
      pull += g[i] * gain[i] * (x[i] - mean);
    }
    slope /= (float)columns;
    pull *= scale * scale / (float)columns;
    for (size_t i = 0; i < columns; i++)
      out[row * columns + i] = scale * (g[i] * gain[i] - slope - (x[i] - mean) * pull);
    if (!gain_gradient) continue;
    for (size_t i = 0; i < columns; i++) {
      gain_gradient[i] += g[i] * (x[i] - mean) * scale;
      bias_gradient[i] += g[i];
    }
  }
}

void wt_layer_norm_backward_scalar(float *out, const float *gradient, const float *in,
                                   const float *gain, float *gain_gradient, float *bias_gradient,
                                   size_t rows, size_t columns, float epsilon) {
  for (size_t row = 0; row < rows; row++) {
    const float *x = in + row * columns, *g = gradient + row * columns;
    double sum = 0, squares = 0, slope = 0, pull = 0;
    for (size_t i = 0; i < columns; i++) sum += x[i];
    double mean = sum / (double)columns;
    for (size_t i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(squares / (double)columns + epsilon);
    for (size_t i = 0; i < columns; i++) {
      double normal = (x[i] - mean) * scale, part = (double)g[i] * gain[i];
      slope += part / (double)columns;
      pull += part * normal / (double)columns;
      if (gain_gradient) gain_gradient[i] += (float)(g[i] * normal);
      if (gain_gradient) bias_gradient[i] += g[i];
    }
    for (size_t i = 0; i < columns; i++)
      out[row * columns + i] =
          (float)(scale * ((double)g[i] * gain[i] - slope - (x[i] - mean) * scale * pull));
  }
}
