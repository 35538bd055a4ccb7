#include "elementary.h"
#include "wt_kernels.h"

// IEEE 754's 16 bits widened by shifting them into place and a multiplication that mends the exponent,
// subnormal numbers included; infinities and NaNs get the largest exponent instead.
static inline float widened(uint16_t half) {
  uint32_t bits = (uint32_t)(half & 0x7FFF) << 13, sign = (uint32_t)(half & 0x8000) << 16;
  float number;
  memcpy(&number, &bits, sizeof number);
  number *= 0x1p112f;
  uint32_t finite, special = bits | 0x7F800000;
  memcpy(&finite, &number, sizeof finite);
  uint32_t result = sign | ((half & 0x7C00) == 0x7C00 ? special : finite);
  memcpy(&number, &result, sizeof number);
  return number;
}

WT_CLONES void wt_from_float16(float *restrict out, const uint16_t *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = widened(in[i]);
}

void wt_from_float16_scalar(float *out, const uint16_t *in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int exponent = in[i] >> 10 & 31, fraction = in[i] & 0x3FF;
    float scale = 0x1p-24f;
    for (int e = 1; e < exponent; e++) scale *= 2;
    float size = (exponent ? fraction + 1024 : fraction) * scale;
    if (exponent == 31) size = fraction ? __builtin_nanf("") : __builtin_inff();
    out[i] = in[i] >> 15 ? -size : size;
  }
}
