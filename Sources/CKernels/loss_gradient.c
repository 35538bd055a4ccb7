#include "elementary.h"
#include "wt_kernels.h"

enum { BLOCK = 256 };

WT_CLONES void wt_loss_gradient(float *restrict probability, const int16_t *restrict label,
                                size_t classes, size_t plane, size_t pixels, float entropy,
                                const float *restrict square, const float *restrict overlap) {
  float mean[BLOCK];
  for (size_t start = 0; start < pixels; start += BLOCK) {
    size_t count = pixels - start < BLOCK ? pixels - start : BLOCK;
    const int16_t *t = label + start;
    float *p = probability + start;
    for (size_t i = 0; i < count; i++) mean[i] = 0;
    for (size_t c = 0; c < classes; c++)
      for (size_t i = 0; i < count; i++) {
        float hit = t[i] == (int16_t)c ? overlap[c] : 0;
        mean[i] += p[c * plane + i] * (square[c] * p[c * plane + i] - hit);
      }
    for (size_t c = 0; c < classes; c++)
      for (size_t i = 0; i < count; i++) {
        float x = p[c * plane + i];
        float hit = t[i] == (int16_t)c ? overlap[c] : 0;
        float one = t[i] == (int16_t)c ? 1.0f : 0.0f;
        float share = t[i] >= 0 ? entropy : 0.0f;
        p[c * plane + i] = share * (x - one) + x * (square[c] * x - hit - mean[i]);
      }
  }
}

void wt_loss_gradient_scalar(float *probability, const int16_t *label, size_t classes, size_t plane,
                             size_t pixels, float entropy, const float *square,
                             const float *overlap) {
  for (size_t i = 0; i < pixels; i++) {
    double mean = 0;
    for (size_t c = 0; c < classes; c++) {
      double p = probability[c * plane + i];
      mean += p * (square[c] * p - (label[i] == (int16_t)c ? overlap[c] : 0));
    }
    for (size_t c = 0; c < classes; c++) {
      double p = probability[c * plane + i], one = label[i] == (int16_t)c;
      double slope = square[c] * p - one * overlap[c];
      probability[c * plane + i] =
          (float)((label[i] < 0 ? 0 : entropy) * (p - one) + p * (slope - mean));
    }
  }
}
