#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

WT_CLONES void wt_softmax_backward(float *restrict scores, float *restrict gradients,
                                   size_t count, float log_sum, float mean) {
  for (size_t i = 0; i < count; i++) {
    float weight = wt_exp(scores[i] - log_sum);
    scores[i] = weight;
    gradients[i] = weight * (gradients[i] - mean);
  }
}

void wt_softmax_backward_scalar(float *scores, float *gradients, size_t count, float log_sum,
                                float mean) {
  for (size_t i = 0; i < count; i++) {
    double weight = exp((double)scores[i] - log_sum);
    scores[i] = (float)weight;
    gradients[i] = (float)(weight * ((double)gradients[i] - mean));
  }
}

WT_CLONES void wt_sum_positions(float *restrict vertical, float *restrict horizontal,
                                const float *restrict scores, size_t key_rows,
                                size_t key_columns) {
#pragma clang fp reassociate(on) contract(fast)
  for (size_t y = 0; y < key_rows; y++) {
    const float *row = scores + y * key_columns;
    float sum = 0;
    for (size_t x = 0; x < key_columns; x++) sum += row[x];
    vertical[y] += sum;
    for (size_t x = 0; x < key_columns; x++) horizontal[x] += row[x];
  }
}

void wt_sum_positions_scalar(float *vertical, float *horizontal, const float *scores,
                             size_t key_rows, size_t key_columns) {
  for (size_t i = 0; i < key_rows * key_columns; i++) {
    vertical[i / key_columns] += scores[i];
    horizontal[i % key_columns] += scores[i];
  }
}
