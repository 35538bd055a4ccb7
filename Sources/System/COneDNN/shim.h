#pragma once
#include <dnnl.h>

// Of OpenMP's runtime, which oneDNN's Debian package uses; its header belongs to the compiler.
void omp_set_num_threads(int count);
