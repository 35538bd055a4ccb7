/// The header fields that wt reads or writes; everything else is carried along as it is.
enum NIfTIField: String, Sendable {
  case headerSize = "sizeof_hdr"
  case extents = "dim"
  case datatype
  case bits = "bitpix"
  case steps = "pixdim"
  case dataOffset = "vox_offset"
  case slope = "scl_slope"
  case intercept = "scl_inter"
  case units = "xyzt_units"
  case displayMost = "cal_max"
  case displayLeast = "cal_min"
  case quaternionCode = "qform_code"
  case matrixCode = "sform_code"
  case quaternion = "quatern"
  case origin = "qoffset"
  case matrix = "srow"
  case magic
  case leastValue = "glmin"
}

/// How a number is stored.
enum NIfTINumber: Sendable {
  case u8, i16, i32, i64, f32, f64

  var byteCount: Int {
    switch self {
    case .u8: 1
    case .i16: 2
    case .i32, .f32: 4
    case .i64, .f64: 8
    }
  }
}

/// The two versions of the header, which hold the same fields in other places and widths.
public enum NIfTIVersion: Int, Sendable {
  case one = 1
  case two = 2

  /// Bytes of the header itself.
  public var headerBytes: Int { self == .one ? 348 : 540 }

  /// The first byte that voxels may lie at in a file of both: behind the extension flag.
  var firstDataOffset: Int { headerBytes + 4 }

  /// Where the first number of a field stands and how each is stored.
  ///
  /// Source: nifti1.h and nifti2.h of the NIfTI data format working group.
  func place(of field: NIfTIField) -> (offset: Int, number: NIfTINumber) {
    self == .one ? Self.first(field) : Self.second(field)
  }

  private static func first(_ field: NIfTIField) -> (Int, NIfTINumber) {
    switch field {
    case .headerSize: (0, .i32)
    case .extents: (40, .i16)
    case .datatype: (70, .i16)
    case .bits: (72, .i16)
    case .steps: (76, .f32)
    case .dataOffset: (108, .f32)
    case .slope: (112, .f32)
    case .intercept: (116, .f32)
    case .units: (123, .u8)
    case .displayMost: (124, .f32)
    case .displayLeast: (128, .f32)
    case .leastValue: (144, .i32)
    case .quaternionCode: (252, .i16)
    case .matrixCode: (254, .i16)
    case .quaternion: (256, .f32)
    case .origin: (268, .f32)
    case .matrix: (280, .f32)
    case .magic: (344, .u8)
    }
  }

  private static func second(_ field: NIfTIField) -> (Int, NIfTINumber) {
    switch field {
    case .headerSize: (0, .i32)
    case .magic: (4, .u8)
    case .datatype: (12, .i16)
    case .bits: (14, .i16)
    case .extents: (16, .i64)
    case .steps: (104, .f64)
    case .dataOffset: (168, .i64)
    case .slope: (176, .f64)
    case .intercept: (184, .f64)
    case .displayMost: (192, .f64)
    case .displayLeast: (200, .f64)
    case .quaternionCode: (344, .i32)
    case .matrixCode: (348, .i32)
    case .quaternion: (352, .f64)
    case .origin: (376, .f64)
    case .matrix: (400, .f64)
    case .units: (500, .i32)
    // Version 2 has no field for it; its extents need no trick.
    case .leastValue: (524, .u8)
    }
  }
}
