// Elementary functions written so that loops over them become vector code.
#pragma once
#include <stdint.h>
#include <string.h>

#include "clones.h"

/// The exponential to 2 ulp: 2^n times a polynomial over half an octave around zero.
static inline float wt_exp(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  // Adding and taking away 1.5·2^23 rounds to a whole number.
  float shifted = x * 1.44269504f + 12582912.0f;
  float n = shifted - 12582912.0f;
  // ln 2 in two parts, the first exact in the product.
  float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  int32_t bits = ((int32_t)n + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return p * power;
}

/// The error function to 2 ulp: a polynomial in x² below one, and above it the complement as the
/// exponential of a polynomial. Both were fitted at Chebyshev nodes.
static inline float wt_erf(float x) {
  float a = x < 0 ? -x : x;
  float s = a * a;
  float near = 7.88249745e-05f;
  near = near * s - 0.000801885501f;
  near = near * s + 0.00518931216f;
  near = near * s - 0.0268543288f;
  near = near * s + 0.112835974f;
  near = near * s - 0.37612626f;
  near = near * s + 1.12837911f;
  // Beyond four the complement is less than half a unit in the last place.
  float b = a > 4.0f ? 4.0f : a;
  float far = -1.33093899e-05f;
  far = far * b + 0.000317572034f;
  far = far * b - 0.00343686761f;
  far = far * b + 0.0226219855f;
  far = far * b - 0.103318982f;
  far = far * b - 0.639093339f;
  far = far * b - 1.1259259f;
  far = far * b - 0.000756968628f;
  float y = a < 1.0f ? a * near : 1.0f - wt_exp(far);
  return x < 0 ? -y : y;
}
