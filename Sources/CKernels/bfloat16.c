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

void wt_to_bfloat16_scalar(uint16_t *out, const float *in, size_t count) {
  for (size_t i = 0; i < count; i++) out[i] = rounded(in[i]);
}

WT_CLONES void wt_round_to_bfloat16(float *restrict out, const float *restrict in, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)rounded(in[i]) << 16;
    memcpy(out + i, &bits, sizeof bits);
  }
}
