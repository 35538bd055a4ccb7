#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

enum { LANES = 32 };

WT_CLONES void wt_add_positions(float *restrict scores, const float *restrict vertical,
                                const float *restrict horizontal, size_t key_rows,
                                size_t key_columns) {
  for (size_t y = 0; y < key_rows; y++)
    for (size_t x = 0; x < key_columns; x++)
      scores[y * key_columns + x] += vertical[y] + horizontal[x];
}

void wt_add_positions_scalar(float *scores, const float *vertical, const float *horizontal,
                             size_t key_rows, size_t key_columns) {
  for (size_t i = 0; i < key_rows * key_columns; i++)
    scores[i] += vertical[i / key_columns] + horizontal[i % key_columns];
}

// The largest score, a lane at a time, as a maximum over all of them is not made vector code. Always
// inlined: by itself it would be compiled for the oldest processor.
static inline __attribute__((always_inline)) float largest(const float *scores, size_t count, float start) {
  float lanes[LANES];
  size_t whole = count - count % LANES;
  for (size_t l = 0; l < LANES; l++) lanes[l] = start;
  for (size_t i = 0; i < whole; i += LANES)
    for (size_t l = 0; l < LANES; l++)
      lanes[l] = scores[i + l] > lanes[l] ? scores[i + l] : lanes[l];
  for (size_t l = 0; l < count - whole; l++)
    lanes[l] = scores[whole + l] > lanes[l] ? scores[whole + l] : lanes[l];
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++)
      lanes[l] = lanes[l + half] > lanes[l] ? lanes[l + half] : lanes[l];
  return lanes[0];
}

WT_CLONES float wt_softmax_step(float *restrict scores, size_t count, float *restrict maximum,
                                float *restrict sum) {
#pragma clang fp reassociate(on) contract(fast)
  float before = *maximum, top = largest(scores, count, before), added = 0;
  for (size_t i = 0; i < count; i++) {
    scores[i] = wt_exp(scores[i] - top);
    added += scores[i];
  }
  float kept = before == -INFINITY ? 0 : wt_exp(before - top);
  *maximum = top;
  *sum = *sum * kept + added;
  return kept;
}

float wt_softmax_step_scalar(float *scores, size_t count, float *maximum, float *sum) {
  double top = *maximum, added = 0;
  for (size_t i = 0; i < count; i++) top = scores[i] > top ? scores[i] : top;
  for (size_t i = 0; i < count; i++) {
    double weight = exp(scores[i] - top);
    scores[i] = (float)weight;
    added += weight;
  }
  double kept = exp(*maximum - top);
  *maximum = (float)top;
  *sum = (float)(*sum * kept + added);
  return (float)kept;
}
