#include "clones.h"
#include "wt_kernels.h"

#include <string.h>

// Products must be the same on every machine, so a multiplication and an addition are never fused,
// and every element is summed in the order of k; only elements are taken side by side.
#pragma STDC FP_CONTRACT OFF

// A tile of 4 rows and 32 columns stays in registers while k runs.
enum { ROWS = 4, VECTORS = 4, WIDTH = 8, TILE = VECTORS * WIDTH };
typedef double lanes __attribute__((vector_size(8 * WIDTH)));

#define UNROLL _Pragma("clang loop unroll(full)")

WT_VECTOR_CLONES void wt_add_product(double *restrict out, const double *restrict left,
                                     const double *restrict right, size_t rows, size_t depth,
                                     size_t columns) {
  size_t whole = columns - columns % TILE, full = rows - rows % ROWS;
  for (size_t start = 0; start < whole; start += TILE)
    for (size_t row = 0; row < full; row += ROWS) {
      lanes sum[ROWS][VECTORS], source[VECTORS];
      double *target = out + row * columns + start;
      for (size_t i = 0; i < ROWS; i++) memcpy(sum[i], target + i * columns, sizeof sum[i]);
      for (size_t k = 0; k < depth; k++) {
        memcpy(source, right + k * columns + start, sizeof source);
        UNROLL for (size_t i = 0; i < ROWS; i++) {
          double factor = left[(row + i) * depth + k];
          UNROLL for (size_t j = 0; j < VECTORS; j++) sum[i][j] += factor * source[j];
        }
      }
      for (size_t i = 0; i < ROWS; i++) memcpy(target + i * columns, sum[i], sizeof sum[i]);
    }
  for (size_t row = 0; row < rows; row++)
    for (size_t k = 0; k < depth; k++)
      for (size_t column = row < full ? whole : 0; column < columns; column++)
        out[row * columns + column] += left[row * depth + k] * right[k * columns + column];
}

void wt_add_product_scalar(double *out, const double *left, const double *right, size_t rows,
                           size_t depth, size_t columns) {
  for (size_t row = 0; row < rows; row++)
    for (size_t column = 0; column < columns; column++)
      for (size_t k = 0; k < depth; k++)
        out[row * columns + column] += left[row * depth + k] * right[k * columns + column];
}
