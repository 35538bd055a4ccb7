#pragma once
#if defined(__linux__)
// Glibc hides this call behind _GNU_SOURCE, which its Swift module does not set.
int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);
#define WT_SYNC_FILE_RANGE_WRITE 2u
#endif
