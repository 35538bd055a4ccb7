#include "elementary.h"
#include "wt_kernels.h"

// Sums must be the same on every machine, so eight are kept whatever the vectors' width, and a
// multiplication and an addition are never fused.
#pragma STDC FP_CONTRACT OFF

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(8 * LANES)));
typedef int64_t masks __attribute__((vector_size(8 * LANES)));

static inline double sum(const lanes *parts) {
  double x[LANES];
  memcpy(x, parts, sizeof x);
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

WT_CLONES void wt_add_update(double *restrict weight, const double *restrict update, size_t count,
                             double factor, wt_update_sums *restrict sums) {
  lanes updates = {0}, weights = {0}, largest = {0};
  size_t whole = count - count % LANES;
  for (size_t i = 0; i < whole; i += LANES) {
    lanes delta, number;
    memcpy(&delta, update + i, sizeof delta);
    memcpy(&number, weight + i, sizeof number);
    updates += delta * delta;
    weights += number * number;
    number += factor * delta;
    memcpy(weight + i, &number, sizeof number);
    lanes size = (lanes)((masks)delta & INT64_MAX);
    masks grows = size > largest;
    largest = (lanes)((grows & (masks)size) | (~grows & (masks)largest));
  }
  sums->updates += sum(&updates);
  sums->weights += sum(&weights);
  for (size_t i = 0; i < LANES; i++)
    if (largest[i] > sums->largest) sums->largest = largest[i];
  wt_add_update_scalar(weight + whole, update + whole, count - whole, factor, sums);
}

void wt_add_update_scalar(double *weight, const double *update, size_t count, double factor,
                          wt_update_sums *sums) {
  for (size_t i = 0; i < count; i++) {
    double size = __builtin_fabs(update[i]);
    sums->updates += update[i] * update[i];
    sums->weights += weight[i] * weight[i];
    if (size > sums->largest) sums->largest = size;
    weight[i] += factor * update[i];
  }
}

WT_CLONES double wt_dot(const double *restrict left, const double *restrict right, size_t count) {
  lanes sums = {0};
  size_t whole = count - count % LANES;
  for (size_t i = 0; i < whole; i += LANES) {
    lanes a, b;
    memcpy(&a, left + i, sizeof a);
    memcpy(&b, right + i, sizeof b);
    sums += a * b;
  }
  double rest = 0;
  for (size_t i = whole; i < count; i++) rest += left[i] * right[i];
  return sum(&sums) + rest;
}
