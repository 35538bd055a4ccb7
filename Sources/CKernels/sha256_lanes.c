#include "clones.h"
#include "wt_kernels.h"

#include <string.h>

// SHA-256 (FIPS 180-4) of sixteen streams side by side, a lane of the vector unit for each.

enum { LANES = 16 };
typedef uint32_t words __attribute__((vector_size(4 * LANES)));

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#define TURN(x, by) ((x) >> (by) | (x) << (32 - (by)))
#define TURNS(x, a, b, c) (TURN(x, a) ^ TURN(x, b) ^ TURN(x, c))
#define SWAP(x) ((TURN(x, 8) & 0xFF00FF00u) | (TURN(x, 24) & 0x00FF00FFu))
#define UNROLL _Pragma("clang loop unroll(full)")

// A transposition exchanges halves, then halves of halves, down to single words.
#define LOW1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define LOW2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define EXCHANGE(step)                                                  \
  UNROLL for (int i = 0; i < LANES; i++) if (!(i & step)) {             \
    words a = w[i], b = w[i + step];                                    \
    w[i] = __builtin_shufflevector(a, b, LOW##step);                    \
    w[i + step] = __builtin_shufflevector(a, b, HIGH##step);            \
  }

#if defined(__x86_64__) && defined(__linux__)
int wt_sha256_lanes_pay(void) { return __builtin_cpu_supports("avx512f") != 0; }
#else
int wt_sha256_lanes_pay(void) { return 0; }
#endif

WT_VECTOR_CLONES void wt_sha256_lanes(uint32_t state[8 * LANES], const uint8_t *const source[LANES],
                                      size_t blocks) {
  words h[8];
  memcpy(h, state, sizeof h);
  for (size_t block = 0; block < blocks; block++) {
    words w[LANES], s[8];
    for (int lane = 0; lane < LANES; lane++) memcpy(w + lane, source[lane] + 64 * block, 64);
    EXCHANGE(1)
    EXCHANGE(2)
    EXCHANGE(4)
    EXCHANGE(8)
    for (int i = 0; i < LANES; i++) w[i] = SWAP(w[i]);
    for (int i = 0; i < 8; i++) s[i] = h[i];
    for (int start = 0; start < 64; start += 16) UNROLL
      for (int i = 0; i < 16; i++) {
        if (start > 0) {
          words x = w[(i + 1) % 16], y = w[(i + 14) % 16];
          w[i] += (TURN(x, 7) ^ TURN(x, 18) ^ x >> 3) + w[(i + 9) % 16];
          w[i] += TURN(y, 17) ^ TURN(y, 19) ^ y >> 10;
        }
        words a = s[(64 - i) % 8], b = s[(65 - i) % 8], c = s[(66 - i) % 8];
        words e = s[(68 - i) % 8], f = s[(69 - i) % 8], g = s[(70 - i) % 8];
        words t = s[(71 - i) % 8] + TURNS(e, 6, 11, 25) + (g ^ (e & (f ^ g))) + K[start + i] + w[i];
        s[(67 - i) % 8] += t;
        s[(71 - i) % 8] = t + TURNS(a, 2, 13, 22) + ((a & b) | (c & (a | b)));
      }
    for (int i = 0; i < 8; i++) h[i] += s[i];
  }
  memcpy(state, h, sizeof h);
}
