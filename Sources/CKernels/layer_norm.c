#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

WT_CLONES void wt_layer_norm(float *out, const float *in, const float *restrict gain,
                             const float *restrict bias, size_t rows, size_t columns,
                             float epsilon) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t row = 0; row < rows; row++) {
    const float *x = in + row * columns;
    float *y = out + row * columns;
    float sum = 0, squares = 0;
    for (size_t i = 0; i < columns; i++) sum += x[i];
    float mean = sum / (float)columns;
    for (size_t i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf(squares / (float)columns + epsilon);
    for (size_t i = 0; i < columns; i++) y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
  }
}

void wt_layer_norm_scalar(float *out, const float *in, const float *gain, const float *bias,
                          size_t rows, size_t columns, float epsilon) {
  for (size_t row = 0; row < rows; row++) {
    const float *x = in + row * columns;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < columns; i++) sum += x[i];
    double mean = sum / (double)columns;
    for (size_t i = 0; i < columns; i++) squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(squares / (double)columns + epsilon);
    for (size_t i = 0; i < columns; i++)
      out[row * columns + i] = (float)((x[i] - mean) * scale * gain[i] + bias[i]);
  }
}
