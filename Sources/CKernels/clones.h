// Where kernels are chosen by what the processor has: the compiler makes each of these, and the
// loader takes the best one, once.
#pragma once

#if defined(__x86_64__) && defined(__linux__)
#define WT_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
// Of whole numbers and of products that are never fused, which ask for less.
#define WT_VECTOR_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WT_CLONES
#define WT_VECTOR_CLONES
#endif
