#pragma once
// One interface whatever the library's version: 1.12 and later rename what they changed.
#define H5_USE_110_API 1
#include <hdf5.h>
#include <stdint.h>

// The public headers compare the version of library and header at every constant, and abort; the
// library's soname says the same without a signal.
#undef H5CHECK
#define H5CHECK

// Constants that are expressions in C, which Swift cannot see.

static inline hid_t wt_H5P_FILE_ACCESS(void) { return H5P_FILE_ACCESS; }
static inline hid_t wt_H5P_FILE_CREATE(void) { return H5P_FILE_CREATE; }
static inline hid_t wt_H5P_GROUP_CREATE(void) { return H5P_GROUP_CREATE; }
static inline hid_t wt_H5P_DATASET_CREATE(void) { return H5P_DATASET_CREATE; }
static inline hid_t wt_H5P_LINK_CREATE(void) { return H5P_LINK_CREATE; }
static inline hid_t wt_H5T_C_S1(void) { return H5T_C_S1; }
static inline hid_t wt_H5T_STD_I8LE(void) { return H5T_STD_I8LE; }
static inline hid_t wt_H5T_STD_I16LE(void) { return H5T_STD_I16LE; }
static inline hid_t wt_H5T_STD_I32LE(void) { return H5T_STD_I32LE; }
static inline hid_t wt_H5T_STD_I64LE(void) { return H5T_STD_I64LE; }
static inline hid_t wt_H5T_STD_U8LE(void) { return H5T_STD_U8LE; }
static inline hid_t wt_H5T_STD_U16LE(void) { return H5T_STD_U16LE; }
static inline hid_t wt_H5T_STD_U32LE(void) { return H5T_STD_U32LE; }
static inline hid_t wt_H5T_STD_U64LE(void) { return H5T_STD_U64LE; }
static inline hid_t wt_H5T_IEEE_F32LE(void) { return H5T_IEEE_F32LE; }
static inline hid_t wt_H5T_IEEE_F64LE(void) { return H5T_IEEE_F64LE; }

static inline size_t wt_H5T_VARIABLE(void) { return H5T_VARIABLE; }
static inline haddr_t wt_HADDR_UNDEF(void) { return HADDR_UNDEF; }
static const hid_t wt_H5P_DEFAULT = H5P_DEFAULT;
static const hid_t wt_H5E_DEFAULT = H5E_DEFAULT;
static const unsigned wt_H5F_ACC_RDONLY = 0x0000u;
static const unsigned wt_H5F_ACC_TRUNC = 0x0002u;

// Calls whose names are macros, or whose structures differ between versions.

static inline hid_t wt_H5Oopen_by_addr(hid_t file, haddr_t address) {
  return H5Oopen_by_addr(file, address);
}

/// Where an object's header lies.
static inline herr_t wt_object_address(hid_t object, haddr_t *address) {
  H5O_info_t info;
  herr_t status = H5Oget_info2(object, &info, H5O_INFO_BASIC);
  if (status >= 0) *address = info.addr;
  return status;
}

/// What is told of a link: `address` is where a hard link leads.
typedef herr_t (*wt_link_visitor)(
    const char *name, H5L_type_t kind, haddr_t address, void *context);

struct wt_link_visit {
  wt_link_visitor visitor;
  void *context;
};

static inline herr_t wt_visit_link(
    hid_t group, const char *name, const H5L_info_t *info, void *visit) {
  (void)group;
  struct wt_link_visit *call = (struct wt_link_visit *)visit;
  haddr_t address = info->type == H5L_TYPE_HARD ? info->u.address : HADDR_UNDEF;
  return call->visitor(name, info->type, address, call->context);
}

/// Shows every link of a group to the visitor, in the order in which they are stored.
static inline herr_t wt_visit_links(hid_t group, wt_link_visitor visitor, void *context) {
  struct wt_link_visit visit = {visitor, context};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, wt_visit_link, &visit);
}

/// Asks for a chunk as it is stored.
static inline herr_t wt_H5Dread_chunk(
    hid_t dataset, const hsize_t *offset, uint32_t *filters, void *buffer) {
  return H5Dread_chunk(dataset, H5P_DEFAULT, offset, filters, buffer);
}

/// Fills in what a driver must say of itself, which differs between versions.
static inline void wt_complete_driver(H5FD_class_t *driver) {
  driver->name = "wt";
  static const H5FD_mem_t kinds[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
  for (int kind = 0; kind < H5FD_MEM_NTYPES; kind++) driver->fl_map[kind] = kinds[kind];
#ifdef H5FD_CLASS_VERSION
  driver->version = H5FD_CLASS_VERSION;
  driver->value = (H5FD_class_value_t)257;  // from the range that is left to applications
#endif
}

/// A file that the driver has opened: the library's part, then whose bytes it hands out.
typedef struct wt_driver_file {
  H5FD_t head;
  void *storage;
} wt_driver_file;
