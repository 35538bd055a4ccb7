#include <math.h>

#include "elementary.h"
#include "wt_kernels.h"

// To nearest, ties to even; a NaN keeps its sign and stays one.
static inline uint16_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet : nearest);
}

WT_CLONES void wt_to_bfloat16(uint16_t *restrict out, const float *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = rounded(in[i]);
}

WT_CLONES void wt_from_bfloat16(float *restrict out, const uint16_t *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)in[i] << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
}

WT_CLONES void wt_round_to_bfloat16(float *restrict out, const float *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)rounded(in[i]) << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
}

// By arithmetic in double precision instead of bits: of eight significant ones, or what is left of
// them near zero.
static uint16_t scalar_rounded(float value) {
  if (isfinite(value)) {
    int exponent;
    frexp(value, &exponent);
    double unit = ldexp(1, (exponent < -125 ? -125 : exponent) - 8);
    value = (float)(rint(value / unit) * unit);
  }
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint16_t)(bits >> 16 | (isnan(value) ? 0x40 : 0));
}

void wt_to_bfloat16_scalar(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = scalar_rounded(in[i]);
}

// Sign, exponent and fraction by arithmetic.
static float scalar_widened(uint16_t number) {
  int exponent = number >> 7 & 0xFF, fraction = number & 0x7F;
  float sign = number >> 15 ? -1 : 1;
  if (exponent == 0xFF) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * (float)ldexp(fraction, -133);
  return sign * (float)ldexp(fraction + 0x80, exponent - 134);
}

void wt_from_bfloat16_scalar(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = scalar_widened(in[i]);
}

void wt_round_to_bfloat16_scalar(float *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = scalar_widened(scalar_rounded(in[i]));
}
