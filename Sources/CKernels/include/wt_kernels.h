// Short SIMD loops. Each has a scalar twin beside it and is dispatched at run time.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The CRC-32 of zip and gzip (polynomial 0xEDB88320), continued from `crc`.
uint32_t wt_crc32(uint32_t crc, const void *bytes, size_t count);

/// The same, a byte at a time: the twin that tests hold the fast one against.
uint32_t wt_crc32_scalar(uint32_t crc, const void *bytes, size_t count);

/// Adds left [rows, depth] times right [depth, columns] to out [rows, columns], all row by row.
void wt_add_product(double *restrict out, const double *restrict left,
                    const double *restrict right, size_t rows, size_t depth, size_t columns);

/// The same, a number at a time: the twin that tests hold the fast one against.
void wt_add_product_scalar(double *out, const double *left, const double *right, size_t rows,
                           size_t depth, size_t columns);

/// What a merge measures: the sums of the squares of updates and weights, the largest |update|.
typedef struct {
  double updates, weights, largest;
} wt_update_sums;

/// Adds factor times an update to weights, and what is measured to the sums.
void wt_add_update(double *restrict weight, const double *restrict update, size_t count,
                   double factor, wt_update_sums *restrict sums);
void wt_add_update_scalar(double *weight, const double *update, size_t count, double factor,
                          wt_update_sums *sums);

/// The inner product, summed in eight parts.
double wt_dot(const double *restrict left, const double *restrict right, size_t count);

/// Widens stored float32, and rounds to it, to nearest, ties to even.
void wt_from_float32(double *restrict out, const void *restrict in, size_t count);
void wt_to_float32(void *restrict out, const double *restrict in, size_t count);

/// Whether all magnitudes are below a limit; a NaN never is.
int wt_are_below(const double *restrict in, size_t count, double limit);
int wt_are_below_scalar(const double *in, size_t count, double limit);

/// Gaussian error linear units, x·Φ(x), in the exact form (erf); out may be in.
void wt_gelu(float *out, const float *in, size_t count);
void wt_gelu_scalar(float *out, const float *in, size_t count);

/// Makes the gradient of GELU's outputs that of its inputs, `in`.
void wt_gelu_backward(float *restrict gradient, const float *restrict in, size_t count);
void wt_gelu_backward_scalar(float *gradient, const float *in, size_t count);

/// Gives each row mean 0 and variance 1, then scales and shifts its columns; out may be in.
void wt_layer_norm(float *out, const float *in, const float *restrict gain,
                   const float *restrict bias, size_t rows, size_t columns, float epsilon);
void wt_layer_norm_scalar(float *out, const float *in, const float *gain, const float *bias,
                          size_t rows, size_t columns, float epsilon);

/// The gradient of the inputs of a layer norm from that of its outputs; those of gain and bias are
/// added to what is there, unless both are null.
void wt_layer_norm_backward(float *restrict out, const float *restrict gradient,
                            const float *restrict in, const float *restrict gain,
                            float *restrict gain_gradient, float *restrict bias_gradient,
                            size_t rows, size_t columns, float epsilon);
void wt_layer_norm_backward_scalar(float *out, const float *gradient, const float *in,
                                   const float *gain, float *gain_gradient, float *bias_gradient,
                                   size_t rows, size_t columns, float epsilon);

/// Adds to one query's scores [key_rows, key_columns] what its distance to each key is worth.
void wt_add_positions(float *restrict scores, const float *restrict vertical,
                      const float *restrict horizontal, size_t key_rows, size_t key_columns);
void wt_add_positions_scalar(float *scores, const float *vertical, const float *horizontal,
                             size_t key_rows, size_t key_columns);

/// Turns one query's scores for some keys into exponentials under the running maximum.
///
/// Keeps the maximum (−∞ before the first step) and the sum of exponentials, and returns by what
/// everything summed before is to be multiplied.
float wt_softmax_step(float *restrict scores, size_t count, float *restrict maximum,
                      float *restrict sum);
float wt_softmax_step_scalar(float *scores, size_t count, float *maximum, float *sum);

/// Turns one query's scores into weights, exp(score − log_sum), and the gradients of the weights into
/// those of the scores, weight·(gradient − mean).
void wt_softmax_backward(float *restrict scores, float *restrict gradients, size_t count,
                         float log_sum, float mean);
void wt_softmax_backward_scalar(float *scores, float *gradients, size_t count, float log_sum,
                                float mean);

/// The adjoint of `wt_add_positions`: adds the sums over each row and each column of the scores.
void wt_sum_positions(float *restrict vertical, float *restrict horizontal,
                      const float *restrict scores, size_t key_rows, size_t key_columns);
void wt_sum_positions_scalar(float *vertical, float *horizontal, const float *scores,
                             size_t key_rows, size_t key_columns);

/// The softmax over classes of `pixels` pixels whose logits lie in planes, and what a loss needs of it.
///
/// `label` holds classes, negative where none counts. To `sums` are added the cross-entropy, then
/// for each class the sums of p², of p where it is the label, and of such pixels.
void wt_loss_terms(float *restrict probability, const float *restrict logit,
                   const int16_t *restrict label, size_t classes, size_t plane, size_t pixels,
                   double *restrict sums);
void wt_loss_terms_scalar(float *probability, const float *logit, const int16_t *label,
                          size_t classes, size_t plane, size_t pixels, double *sums);

/// Turns such probabilities into the gradient by the logits of entropy·(cross-entropy) plus
/// Σ_c square_c·p²/2 − overlap_c·p·[label is c].
void wt_loss_gradient(float *restrict probability, const int16_t *restrict label, size_t classes,
                      size_t plane, size_t pixels, float entropy, const float *restrict square,
                      const float *restrict overlap);
void wt_loss_gradient_scalar(float *probability, const int16_t *label, size_t classes, size_t plane,
                             size_t pixels, float entropy, const float *square,
                             const float *overlap);

/// What a step of AdamW multiplies by: the parameter (1 − rate·decay), the difference of gradient and
/// mean (1 − β₁), the mean of squares (β₂), the squared gradient (1 − β₂), the mean over its width
/// (−rate/(1 − β₁ᵗ)); and what divides the root of the squares, √(1 − β₂ᵗ), and is added to it.
typedef struct {
  float kept, first_share, second_kept, second_share, size, root, epsilon;
} wt_adamw_step;

/// Moves parameters by their gradients and keeps the running means of these and of their squares.
void wt_adamw(float *restrict value, const float *restrict gradient, float *restrict mean,
              float *restrict square, size_t count, const wt_adamw_step *restrict step);
void wt_adamw_scalar(float *value, const float *gradient, float *mean, float *square, size_t count,
                     const wt_adamw_step *step);

/// Rounds to bfloat16, to nearest, ties to even.
void wt_to_bfloat16(uint16_t *restrict out, const float *restrict in, size_t count);
void wt_to_bfloat16_scalar(uint16_t *out, const float *in, size_t count);
void wt_from_bfloat16(float *restrict out, const uint16_t *restrict in, size_t count);
void wt_from_bfloat16_scalar(float *out, const uint16_t *in, size_t count);

/// Rounds to the nearest float that bfloat16 holds.
void wt_round_to_bfloat16(float *restrict out, const float *restrict in, size_t count);
void wt_round_to_bfloat16_scalar(float *out, const float *in, size_t count);

/// Widens IEEE 754's 16-bit numbers, exactly.
void wt_from_float16(float *restrict out, const uint16_t *restrict in, size_t count);
void wt_from_float16_scalar(float *out, const uint16_t *in, size_t count);

/// Numbers uniform in (0, 1): four for each of `blocks` counters of Philox 4x32-10 from `first` on,
/// whose upper halves are `upper`.
void wt_philox_uniform(double *restrict out, size_t blocks, uint64_t first, const uint32_t key[2],
                       const uint32_t upper[2]);

/// Takes `blocks` blocks of 64 bytes of each of sixteen streams into their SHA-256 states, which hold
/// word 0 of all streams, then word 1 and so on.
void wt_sha256_lanes(uint32_t state[8 * 16], const uint8_t *const source[16], size_t blocks);

/// Whether sixteen streams side by side take this machine less time than one after another.
int wt_sha256_lanes_pay(void);

/// Whether AMD made the processor.
int wt_is_amd(void);
