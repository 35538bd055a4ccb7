#pragma once
#include <stddef.h>
#include <stdint.h>

// libpng reports errors by a long jump, which must not cross a Swift function: these begin and end it.

enum { WT_PNG_PALETTE_COLOURS = 256, WT_PNG_MESSAGE_BYTES = 128 };

typedef struct {
  uint32_t width, height;
  int channels;   // samples of a pixel
  int bit_depth;  // of a sample as it is read: 8 or 16
  int palette_colours;  // 0 without a palette
  uint8_t palette[3 * WT_PNG_PALETTE_COLOURS];
  char message[WT_PNG_MESSAGE_BYTES];  // why a call failed
} wt_png;

// Reads what stands before the pixels; 0 is success.
int wt_png_read_header(const uint8_t *bytes, size_t count, wt_png *image);

// Reads the pixels row by row without gaps, 16-bit samples in the machine's order; 0 is success.
// `pixels` holds as many bytes as the header's numbers say.
int wt_png_read_pixels(const uint8_t *bytes, size_t count, wt_png *image, uint8_t *pixels);

// Writes 8-bit pixels: RGB, or indices if there is a palette. `size` is the room of `output` and then
// what was needed, which may be more; 0 is success. With `output` null only the size is told.
int wt_png_write(wt_png *image, const uint8_t *pixels, uint8_t *output, size_t *size);

// The version of the library that is there.
const char *wt_png_version(void);
