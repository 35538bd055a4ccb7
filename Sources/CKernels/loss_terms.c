#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

// Planes are taken a block of pixels at a time, which stays in the cache and keeps sums in single
// precision short.
enum { BLOCK = 256, LANES = 16 };

static inline __attribute__((always_inline)) float sum_of_squares(const float *p, size_t count) {
  float lanes[LANES] = {0}, sum = 0;
  size_t whole = count - count % LANES;
  for (size_t i = 0; i < whole; i += LANES)
    for (size_t l = 0; l < LANES; l++) lanes[l] += p[i + l] * p[i + l];
  for (size_t i = whole; i < count; i++) lanes[0] += p[i] * p[i];
  for (size_t l = 0; l < LANES; l++) sum += lanes[l];
  return sum;
}

WT_CLONES void wt_loss_terms(float *restrict probability, const float *restrict logit,
                             const int16_t *restrict label, size_t classes, size_t plane,
                             size_t pixels, double *restrict sums) {
  float top[BLOCK], total[BLOCK];
  for (size_t start = 0; start < pixels; start += BLOCK) {
    size_t count = pixels - start < BLOCK ? pixels - start : BLOCK;
    const float *z = logit + start;
    float *p = probability + start;
    for (size_t i = 0; i < count; i++) top[i] = z[i], total[i] = 0;
    for (size_t c = 1; c < classes; c++)
      for (size_t i = 0; i < count; i++)
        top[i] = z[c * plane + i] > top[i] ? z[c * plane + i] : top[i];
    for (size_t c = 0; c < classes; c++)
      for (size_t i = 0; i < count; i++) {
        float power = wt_exp(z[c * plane + i] - top[i]);
        p[c * plane + i] = power;
        total[i] += power;
      }
    for (size_t i = 0; i < count; i++) {
      int16_t class = label[start + i];
      if (class >= 0) sums[0] += logf(total[i]) + (top[i] - z[(size_t)class * plane + i]);
    }
    for (size_t i = 0; i < count; i++) total[i] = 1 / total[i];
    for (size_t c = 0; c < classes; c++) {
      for (size_t i = 0; i < count; i++) p[c * plane + i] *= total[i];
      sums[1 + 3 * c] += sum_of_squares(p + c * plane, count);
    }
    for (size_t i = 0; i < count; i++) {
      int16_t class = label[start + i];
      if (class < 0) continue;
      sums[2 + 3 * class] += p[(size_t)class * plane + i];
      sums[3 + 3 * class] += 1;
    }
  }
}

void wt_loss_terms_scalar(float *probability, const float *logit, const int16_t *label,
                          size_t classes, size_t plane, size_t pixels, double *sums) {
  for (size_t i = 0; i < pixels; i++) {
    double total = 0, top = -INFINITY;
    for (size_t c = 0; c < classes; c++) top = fmax(top, logit[c * plane + i]);
    for (size_t c = 0; c < classes; c++) total += exp(logit[c * plane + i] - top);
    for (size_t c = 0; c < classes; c++) {
      double p = exp(logit[c * plane + i] - top) / total;
      probability[c * plane + i] = (float)p;
      sums[1 + 3 * c] += p * p;
      if (label[i] != (int16_t)c) continue;
      sums[0] -= log(p);
      sums[2 + 3 * c] += p;
      sums[3 + 3 * c] += 1;
    }
  }
}
