import CHDF5
import CImages
import CZlib
import CZstd

/// The libraries that containers go through, as they are on this machine.
public var libraryVersions: [(name: String, version: String)] {
  var (major, minor, patch): (UInt32, UInt32, UInt32) = (0, 0, 0)
  H5get_libversion(&major, &minor, &patch)
  return [
    ("HDF5", "\(major).\(minor).\(patch)"), ("zlib", String(cString: zlibVersion())),
    ("zstd", String(cString: ZSTD_versionString())), ("libpng", String(cString: wt_png_version())),
  ]
}
