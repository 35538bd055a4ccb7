import Support

/// A scan or a label map in memory: its voxels as they are stored, and where they lie.
///
/// A voxel's numbers follow one another, then comes the next voxel along x, then y, then z.
public struct Volume: Sendable {
  /// The file as the user named it.
  public let path: String
  /// Extents, x first: three, and more only when they are larger than one.
  public let shape: [Int]
  /// Numbers of a voxel: 3 for colours, else 1.
  public let channels: Int
  /// The type of the stored numbers.
  public let dtype: DType
  /// What turns stored numbers into intensities.
  public let scaling: VoxelScaling?
  public let affine: Affine
  /// Millimetres along x, y and z.
  public let spacing: [Double]
  /// What a file of the same geometry is made from.
  public let template: NIfTITemplate
  /// Packed, little-endian.
  public let voxels: [UInt8]

  init(
    path: String, shape: [Int], channels: Int, dtype: DType, scaling: VoxelScaling?,
    affine: Affine, spacing: [Double], template: NIfTITemplate, voxels: [UInt8]
  ) {
    self.path = path
    self.shape = shape
    self.channels = channels
    self.dtype = dtype
    self.scaling = scaling
    self.affine = affine
    self.spacing = spacing
    self.template = template
    self.voxels = voxels
  }

  /// Reads a NIfTI file.
  ///
  /// - Throws: what `NIfTIFile` throws.
  public init(contentsOf path: String) throws { self = try NIfTIFile(path).volume() }

  /// Makes a volume of numbers that came from elsewhere than NIfTI.
  ///
  /// - Parameters:
  ///   - shape: at least three extents, x first.
  ///   - voxels: packed, little-endian; as many as shape, channels and type say.
  public init(
    path: String, shape: [Int], channels: Int = 1, dtype: DType, affine: Affine = .identity,
    voxels: [UInt8]
  ) {
    let count = shape.reduce(channels, *) * dtype.bitWidth / 8
    precondition(shape.count >= 3 && voxels.count == count, "as many voxels as the shape says")
    self.init(
      path: path, shape: shape, channels: channels, dtype: dtype, scaling: nil, affine: affine,
      spacing: affine.steps, template: NIfTITemplate(shape: shape, affine: affine),
      voxels: voxels)
  }

  /// All numbers: voxels and channels.
  public var count: Int { shape.reduce(channels, *) }

  /// Intensities of a range of the numbers, after scaling.
  public func doubles(_ range: Range<Int>) -> [Double] {
    [Double](unsafeUninitializedCapacity: range.count) { target, initialized in
      var place = 0
      forEach(range) {
        target[place] = $0
        place += 1
      }
      initialized = place
    }
  }

  /// Intensities of a range of the numbers, scaled in double precision and rounded once.
  public func floats(_ range: Range<Int>) -> [Float] {
    [Float](unsafeUninitializedCapacity: range.count) { target, initialized in
      var place = 0
      forEach(range) {
        target[place] = Float($0)
        place += 1
      }
      initialized = place
    }
  }

  /// Calls `body` with the intensities of a range of the numbers, in their order.
  public func forEach(_ range: Range<Int>, _ body: (Double) -> Void) {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "a range of the volume's")
    guard let decoder = ElementDecoder(dtype), let width = dtype.byteWidth else { return }
    voxels.withUnsafeBytes { all in
      let part = UnsafeRawBufferPointer(
        rebasing: all[range.lowerBound * width..<range.upperBound * width])
      guard let scaling else { return decoder.forEach(part, body) }
      decoder.forEach(part) { body($0 * scaling.slope + scaling.intercept) }
    }
  }
}

extension Volume {
  /// The volume's numbers as classes, which must be whole and fit the type.
  ///
  /// - Throws: `FormatError` with code `badLabel`, naming the first voxel that holds none.
  // Inlinable, as a generic conversion of every voxel takes fifty times as long as a known one.
  @inlinable
  public func labels<Label: FixedWidthInteger & UnsignedInteger>(
    as type: Label.Type = UInt8.self
  ) throws -> [Label] {
    if dtype == .uint8, scaling == nil {
      return (voxels as? [Label]) ?? voxels.map { Label(truncatingIfNeeded: $0) }
    }
    var wrong: (place: Int, value: Double)?
    let labels = [Label](unsafeUninitializedCapacity: count) { target, initialized in
      var place = 0
      forEach(0..<count) { value in
        // A number that is no label is remembered, and the room filled, for the error below.
        if let label = Label(exactly: value) {
          target.initializeElement(at: place, to: label)
        } else {
          target.initializeElement(at: place, to: 0)
          wrong = wrong ?? (place, value)
        }
        place += 1
      }
      initialized = place
    }
    guard let wrong else { return labels }
    throw FormatError(
      .badLabel, file: path, subject: "voxel \(position(of: wrong.place))",
      expected: "a whole number from 0 to \(Label.max)", found: "\(wrong.value)")
  }

  /// The indices of the voxel that a number belongs to.
  public func position(of place: Int) -> [Int] {
    var rest = place / channels
    return shape.map { extent in
      defer { rest /= extent }
      return rest % extent
    }
  }
}
