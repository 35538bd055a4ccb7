#include "clones.h"
#include "wt_kernels.h"

// Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011), for as many counters side by side as the vector unit takes. Its twin is Support's
// `Philox`.

enum { LANES = 16, ROUNDS = 10 };

WT_VECTOR_CLONES void wt_philox_uniform(double *restrict out, size_t blocks, uint64_t first,
                                        const uint32_t key[2], const uint32_t upper[2]) {
  for (size_t start = 0; start < blocks; start += LANES) {
    uint32_t x[4][LANES], k0 = key[0], k1 = key[1];
    for (int lane = 0; lane < LANES; lane++) {
      uint64_t counter = first + start + (uint64_t)lane;
      x[0][lane] = (uint32_t)counter;
      x[1][lane] = (uint32_t)(counter >> 32);
      x[2][lane] = upper[0];
      x[3][lane] = upper[1];
    }
    for (int round = 0; round < ROUNDS; round++) {
      for (int lane = 0; lane < LANES; lane++) {
        uint64_t a = (uint64_t)0xD2511F53u * x[0][lane], b = (uint64_t)0xCD9E8D57u * x[2][lane];
        x[0][lane] = (uint32_t)(b >> 32) ^ x[1][lane] ^ k0;
        x[2][lane] = (uint32_t)(a >> 32) ^ x[3][lane] ^ k1;
        x[1][lane] = (uint32_t)b;
        x[3][lane] = (uint32_t)a;
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    size_t count = blocks - start < LANES ? blocks - start : LANES;
    for (size_t lane = 0; lane < count; lane++)
      for (int word = 0; word < 4; word++)
        out[4 * (start + lane) + (size_t)word] = ((double)x[word][lane] + 0.5) * 0x1p-32;
  }
}
