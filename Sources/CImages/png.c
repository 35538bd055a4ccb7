#include "wt_images.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct {
  const uint8_t *bytes;
  size_t count, position;
} source;

static void keep_message(png_structp png, const char *text) {
  wt_png *image = png_get_error_ptr(png);
  strncpy(image->message, text, WT_PNG_MESSAGE_BYTES - 1);
  image->message[WT_PNG_MESSAGE_BYTES - 1] = 0;
  png_longjmp(png, 1);
}

static void ignore_message(png_structp png, const char *text) {
  (void)png;
  (void)text;
}

static void read_source(png_structp png, png_bytep target, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->count - from->position) png_error(png, "the file ends too early");
  memcpy(target, from->bytes + from->position, count);
  from->position += count;
}

// Samples become 8 or 16 bits wide; palettes stay palettes, and no gamma is applied.
static void describe(png_structp png, png_infop info, wt_png *image) {
  png_read_info(png, info);
  int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_packing(png);
  const uint16_t one = 1;
  if (depth == 16 && *(const uint8_t *)&one == 1) png_set_swap(png);
  image->width = png_get_image_width(png, info);
  image->height = png_get_image_height(png, info);
  image->channels = png_get_channels(png, info);
  image->bit_depth = depth == 16 ? 16 : 8;
  image->palette_colours = 0;
  png_colorp colours;
  int count;
  if (type == PNG_COLOR_TYPE_PALETTE && png_get_PLTE(png, info, &colours, &count)) {
    image->palette_colours = count;
    for (int i = 0; i < count; i++) {
      memcpy(image->palette + 3 * i, (uint8_t[]){colours[i].red, colours[i].green, colours[i].blue}, 3);
    }
  }
}

static int read_png(const uint8_t *bytes, size_t count, wt_png *image, uint8_t *pixels) {
  source from = {bytes, count, 0};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, image, keep_message, ignore_message);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return 1;
  }
  // Text and profiles are of no use, and compressed ones can be bombs.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_chunk_malloc_max(png, 1 << 20);
  png_set_chunk_cache_max(png, 64);
  png_set_read_fn(png, &from, read_source);
  describe(png, info, image);
  if (pixels) {
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row = png_get_rowbytes(png, info);
    if (row != (size_t)image->width * image->channels * (image->bit_depth / 8)) {
      png_error(png, "rows of another size than announced");
    }
    while (passes-- > 0) {
      for (uint32_t y = 0; y < image->height; y++) png_read_row(png, pixels + y * row, NULL);
    }
    png_read_end(png, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}

int wt_png_read_header(const uint8_t *bytes, size_t count, wt_png *image) {
  return read_png(bytes, count, image, NULL);
}

int wt_png_read_pixels(const uint8_t *bytes, size_t count, wt_png *image, uint8_t *pixels) {
  return read_png(bytes, count, image, pixels);
}

int wt_png_write(wt_png *image, const uint8_t *pixels, uint8_t *output, size_t *size) {
  png_image simple;
  memset(&simple, 0, sizeof simple);
  simple.version = PNG_IMAGE_VERSION;
  simple.width = image->width;
  simple.height = image->height;
  simple.format = image->palette_colours ? PNG_FORMAT_RGB_COLORMAP : PNG_FORMAT_RGB;
  simple.colormap_entries = image->palette_colours;
  png_alloc_size_t bytes = *size;
  int done = png_image_write_to_memory(&simple, output, &bytes, 0, pixels, 0, image->palette);
  *size = bytes;
  strncpy(image->message, simple.message, WT_PNG_MESSAGE_BYTES - 1);
  image->message[WT_PNG_MESSAGE_BYTES - 1] = 0;
  return !done;
}

const char *wt_png_version(void) { return png_get_libpng_ver(NULL); }
