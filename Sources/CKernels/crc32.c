#include "wt_kernels.h"

// Carry-less folding after Gopal et al., "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ" (Intel, 2009). The constants are x^n mod P, bit-reflected, for the stated distances.

uint32_t wt_crc32_scalar(uint32_t crc, const void *bytes, size_t count) {
  const uint8_t *byte = bytes;
  crc = ~crc;
  for (size_t i = 0; i < count; i++) {
    crc ^= byte[i];
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320u & -(crc & 1));
  }
  return ~crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i sum, __m128i by, __m128i next) {
  __m128i low = _mm_clmulepi64_si128(sum, by, 0x00);
  __m128i high = _mm_clmulepi64_si128(sum, by, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

// `count` is a multiple of 16 and at least 64; `crc` is the inverted running value.
__attribute__((target("pclmul,sse4.1"))) static uint32_t
crc32_folded(uint32_t crc, const __m128i *block, size_t count) {
  const __m128i by64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
  const __m128i by16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const __m128i by8 = _mm_set_epi64x(0, 0x163cd6124);
  const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
  const __m128i low32 = _mm_set_epi32(0, 0, 0, -1);
  __m128i sum[4];
  for (int lane = 0; lane < 4; lane++) sum[lane] = _mm_loadu_si128(block + lane);
  sum[0] = _mm_xor_si128(sum[0], _mm_cvtsi32_si128((int)crc));
  for (block += 4, count -= 64; count >= 64; block += 4, count -= 64)
    for (int lane = 0; lane < 4; lane++)
      sum[lane] = fold(sum[lane], by64, _mm_loadu_si128(block + lane));
  __m128i rest = sum[0];
  for (int lane = 1; lane < 4; lane++) rest = fold(rest, by16, sum[lane]);
  for (; count >= 16; block++, count -= 16) rest = fold(rest, by16, _mm_loadu_si128(block));
  // 128 bits to 64, to 32, and the Barrett reduction.
  rest = _mm_xor_si128(_mm_clmulepi64_si128(rest, by16, 0x10), _mm_srli_si128(rest, 8));
  __m128i part = _mm_clmulepi64_si128(_mm_and_si128(rest, low32), by8, 0x00);
  rest = _mm_xor_si128(_mm_srli_si128(rest, 4), part);
  part = _mm_clmulepi64_si128(_mm_and_si128(rest, low32), barrett, 0x10);
  part = _mm_clmulepi64_si128(_mm_and_si128(part, low32), barrett, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(rest, part), 1);
}

uint32_t wt_crc32(uint32_t crc, const void *bytes, size_t count) {
  size_t head = count & ~(size_t)15;
  if (head < 64 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
    return wt_crc32_scalar(crc, bytes, count);
  crc = ~crc32_folded(~crc, bytes, head);
  return wt_crc32_scalar(crc, (const uint8_t *)bytes + head, count - head);
}
#else
uint32_t wt_crc32(uint32_t crc, const void *bytes, size_t count) {
  return wt_crc32_scalar(crc, bytes, count);
}
#endif
