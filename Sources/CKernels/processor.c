#include "wt_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <string.h>

int wt_is_amd(void) {
  unsigned int leaf, name[3];
  return __get_cpuid(0, &leaf, name, name + 2, name + 1) && memcmp(name, "AuthenticAMD", 12) == 0;
}
#else
int wt_is_amd(void) { return 0; }
#endif
