/// What a header says of a volume's extents, elements and place.
extension NIfTIHeader {
  /// The extents, x first, three at least, without trailing ones beyond.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader`.
  func shape() throws -> [Int] {
    let rank = integer(.extents)
    guard (1...7).contains(rank) else { throw bad(.extents, expected: "1 to 7 dimensions") }
    if version == .one, integer(.extents, 1) < 0, integer(.leastValue) > 0 {
      throw bad(
        .extents, 1, expected: "a positive extent, not FreeSurfer's long vector",
        remedy: "convert the file to .mgz or NIfTI-2 with mri_convert")
    }
    for axis in 1...rank where integer(.extents, axis) < 1 {
      throw bad(.extents, axis, expected: "a positive extent")
    }
    var shape = (1...rank).map { integer(.extents, $0) }
    while shape.count > 3, shape.last == 1 { shape.removeLast() }
    while shape.count < 3 { shape.append(1) }
    return shape
  }

  /// - Throws: `FormatError` with code `badNiftiHeader`.
  func elementType() throws -> NIfTIDatatype {
    guard let type = NIfTIDatatype(rawValue: integer(.datatype)) else {
      throw bad(
        .datatype,
        expected: "a real number or RGB24: "
          + NIfTIDatatype.allCases.map { "\($0.rawValue)" }.joined(separator: ", "))
    }
    guard integer(.bits) == type.bitWidth else {
      throw bad(.bits, expected: "\(type.bitWidth) for datatype \(type.rawValue)")
    }
    return type
  }

  /// Where the voxels begin in their file.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader`.
  func voxelOffset(isPair: Bool) throws -> Int {
    let least = isPair ? 0 : version.firstDataOffset
    guard let offset = Int(exactly: real(.dataOffset)), offset >= least else {
      throw bad(.dataOffset, expected: "a whole number of bytes, at least \(least)")
    }
    return offset
  }

  /// What stored numbers are multiplied by and what is added; nil when they stay as they are.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader`.
  func scaling() throws -> VoxelScaling? {
    let (slope, intercept) = (real(.slope), real(.intercept))
    guard slope.isFinite, slope != 0 else { return nil }
    guard intercept.isFinite else { throw bad(.intercept, expected: "a finite number") }
    return slope == 1 && intercept == 0 ? nil : VoxelScaling(slope: slope, intercept: intercept)
  }

  /// The place of the voxels: the matrix if there is one, else the quaternion's, else the steps'.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader` when a number in it is not finite.
  func affine() throws -> Affine {
    if integer(.matrixCode) > 0 {
      try checkFinite(.matrix, 12)
      return Affine(rows: (0..<3).map { row in (0..<4).map { real(.matrix, 4 * row + $0) } })
    }
    try checkFinite(.steps, 4)
    let steps = (0..<3).map(step)
    guard integer(.quaternionCode) > 0 else { return Affine(diagonal: steps) }
    try checkFinite(.quaternion, 3)
    try checkFinite(.origin, 3)
    let rotation = rotation()
    // The first step's sign tells whether the third axis is mirrored.
    let factor = real(.steps, 0) < 0 ? -1.0 : 1
    let affine = Affine(
      rows: (0..<3).map { row in
        [
          rotation[row][0] * steps[0], rotation[row][1] * steps[1],
          rotation[row][2] * steps[2] * factor, real(.origin, row),
        ]
      })
    guard affine.isFinite else { throw bad(.quaternion, expected: "parts of a unit quaternion") }
    return affine
  }

  /// Millimetres along an axis; one where there is no other voxel to tell them from.
  ///
  /// A picture's third step is commonly left at zero, and nibabel takes one for it.
  private func step(_ axis: Int) -> Double {
    let step = abs(real(.steps, axis + 1))
    let isFlat = axis >= integer(.extents) || integer(.extents, axis + 1) == 1
    return step == 0 && isFlat ? 1 : step
  }

  /// The rotation of a unit quaternion of which three parts are stored.
  private func rotation() -> [[Double]] {
    let (b, c, d) = (real(.quaternion, 0), real(.quaternion, 1), real(.quaternion, 2))
    let rest = 1 - (b * b + c * c + d * d)
    // The root of what rounding left of nothing would be a rotation of its own.
    let rounding = 3 * (version == .one ? Double(Float.ulpOfOne) : .ulpOfOne)
    let a = rest < rounding ? 0 : rest.squareRoot()
    let norm = a * a + b * b + c * c + d * d
    guard norm.isFinite else { return [[Double]](repeating: [.nan, .nan, .nan], count: 3) }
    let scale = 2 / norm
    let (x, y, z) = (b * scale, c * scale, d * scale)
    return [
      [1 - (c * y + d * z), b * y - a * z, b * z + a * y],
      [b * y + a * z, 1 - (b * x + d * z), c * z - a * x],
      [b * z - a * y, c * z + a * x, 1 - (b * x + c * y)],
    ]
  }

  /// Millimetres from a voxel to the next along x, y and z.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader`.
  func spacing(_ affine: Affine) throws -> [Double] {
    try checkFinite(.steps, 4)
    let unit = integer(.units) & 7
    let factor = unit == 1 ? 1000.0 : unit == 3 ? 0.001 : 1
    return (0..<3).map { axis in
      let own = abs(real(.steps, axis + 1))
      let lengths = [own, affine.steps[axis]]
      return (lengths.first { $0 > 0 } ?? step(axis)) * factor
    }
  }

  private func checkFinite(_ field: NIfTIField, _ count: Int) throws {
    for index in 0..<count where !real(field, index).isFinite {
      throw bad(field, index, expected: "a finite number")
    }
  }
}

/// How stored numbers become intensities.
public struct VoxelScaling: Sendable, Equatable {
  public var slope: Double
  public var intercept: Double

  public init(slope: Double, intercept: Double) {
    self.slope = slope
    self.intercept = intercept
  }
}
