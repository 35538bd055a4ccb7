#include "wt_kernels.h"

// Products must be the same on every machine, so a multiplication and an addition are never fused,
// and every element is summed in the order of k; only columns are taken side by side.
#pragma STDC FP_CONTRACT OFF

enum { TILE = 32 };

#if defined(__x86_64__) && defined(__linux__)
#define CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define CLONES
#endif

CLONES void wt_add_product(double *restrict out, const double *restrict left,
                           const double *restrict right, size_t rows, size_t depth,
                           size_t columns) {
  size_t whole = columns - columns % TILE;
  for (size_t start = 0; start < whole; start += TILE)
    for (size_t row = 0; row < rows; row++) {
      double sum[TILE];
      double *target = out + row * columns + start;
      for (size_t lane = 0; lane < TILE; lane++) sum[lane] = target[lane];
      for (size_t k = 0; k < depth; k++) {
        double factor = left[row * depth + k];
        const double *source = right + k * columns + start;
        for (size_t lane = 0; lane < TILE; lane++) sum[lane] += factor * source[lane];
      }
      for (size_t lane = 0; lane < TILE; lane++) target[lane] = sum[lane];
    }
  for (size_t row = 0; row < rows; row++)
    for (size_t column = whole; column < columns; column++)
      for (size_t k = 0; k < depth; k++)
        out[row * columns + column] += left[row * depth + k] * right[k * columns + column];
}

void wt_add_product_scalar(double *out, const double *left, const double *right, size_t rows,
                           size_t depth, size_t columns) {
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < columns; column++)
      for (size_t k = 0; k < depth; k++)
        out[row * columns + column] += left[row * depth + k] * right[k * columns + column];
}
