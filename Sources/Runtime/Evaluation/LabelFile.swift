import Datasets
import Formats
import Metrics

/// A map of labels as it was read, and where it lies.
struct LabelFile {
  let path: String
  let grid: LabelGrid
  /// Of a volume; pictures have none.
  let affine: Affine?

  /// Reads a volume or a picture.
  ///
  /// - Parameters:
  ///   - colours: which class a colour of an RGB picture is.
  ///   - mapping: what stored labels become; nil leaves them as they are.
  /// - Throws: `FormatError`, `DatasetError`, or `EvaluationError` with code `notALabelMap`.
  init(_ path: String, colours: LabelMap, mapping: LabelMap?) throws {
    self.path = path
    if path.lowercased().hasSuffix(".png") {
      affine = nil
      grid = try Self.picture(path, colours, mapping)
    } else {
      let file = try NIfTIFile(path)
      affine = file.affine
      try Self.check(file)
      grid = try Self.volume(file.volume(), mapping)
    }
  }

  /// What the header alone shows to be no map of labels.
  private static func check(_ file: NIfTIFile) throws {
    guard file.shape.count == 3, file.type.channels == 1,
      file.spacing.allSatisfy({ $0 > 0 && $0.isFinite })
    else {
      throw EvaluationError(
        .notALabelMap, file: file.path, expected: "three dimensions, one label a voxel",
        found: "\(file.shape) voxels of \(file.type.channels) numbers, \(file.spacing) mm apart")
    }
    try checkSize(file.shape, file.path)
  }

  private static func checkSize(_ shape: [Int], _ path: String) throws {
    guard LabelGrid.canHold(shape: shape) else {
      throw EvaluationError(
        .notALabelMap, file: path, expected: "fewer than 2³² voxels",
        found: shape.map { "\($0)" }.joined(separator: " × "))
    }
  }

  private static func volume(_ volume: Volume, _ mapping: LabelMap?) throws -> LabelGrid {
    LabelGrid(
      labels: try mapped(labels(of: volume), mapping, volume.path), shape: volume.shape,
      spacing: volume.spacing)
  }

  /// The volume's numbers as labels.
  ///
  /// Of one type known here, so that the compiler need not ask for it at every voxel.
  private static func labels(of volume: Volume) throws -> [UInt16] {
    if volume.dtype == .uint8, volume.scaling == nil { return volume.voxels.map { UInt16($0) } }
    var areWhole = true
    let labels = [UInt16](unsafeUninitializedCapacity: volume.count) { target, initialized in
      var place = 0
      volume.forEach(0..<volume.count) { value in
        let isLabel = value >= 0 && value <= 65535 && value == value.rounded(.towardZero)
        target[place] = isLabel ? UInt16(value) : 0
        if !isLabel { areWhole = false }
        place += 1
      }
      initialized = place
    }
    // The reader's own walk names the voxel that is at fault.
    return areWhole ? labels : try volume.labels(as: UInt16.self)
  }

  private static func picture(
    _ path: String, _ colours: LabelMap, _ mapping: LabelMap?
  ) throws -> LabelGrid {
    let image = try PNGFile.read(path)
    let shape = [image.width, image.height]
    try checkSize(shape, path)
    guard image.channels >= 3 else {
      let labels = (0..<image.width * image.height).map { UInt16(image.sample($0, 0)) }
      return LabelGrid(
        labels: try mapped(labels, mapping, path), shape: shape, spacing: [1, 1])
    }
    let shift = image.bitDepth - 8
    var known: [Int: UInt16] = [:]
    let labels = try (0..<image.width * image.height).map { pixel -> UInt16 in
      let parts = (0..<3).map { UInt8(image.sample(pixel, $0) >> shift) }
      let colour = LabelMap.label(of: RGBColour(parts[0], parts[1], parts[2]))
      if let label = known[colour] { return label }
      guard let label = colours[colour] else {
        throw unknown(path, LabelMap.text(colour))
      }
      known[colour] = UInt16(label)
      return UInt16(label)
    }
    return LabelGrid(labels: labels, shape: shape, spacing: [1, 1])
  }

  private static func mapped(
    _ labels: [UInt16], _ mapping: LabelMap?, _ path: String
  ) throws -> [UInt16] {
    let present = LabelSet(labels)
    if let beyond = present.labels.last, beyond > LabelGrid.highestLabel {
      throw unknown(path, "\(beyond)")
    }
    guard let mapping else { return labels }
    var table = [UInt16](repeating: 0, count: Int(UInt16.max) + 1)
    for label in present.labels {
      guard let other = mapping[Int(label)] else { throw unknown(path, "\(label)") }
      table[Int(label)] = UInt16(other)
    }
    return labels.map { table[Int($0)] }
  }

  private static func unknown(_ path: String, _ label: String) -> EvaluationError {
    EvaluationError(
      .notALabelMap, file: path, expected: "labels that are known", found: label,
      remedy: "name the labels' meaning with --profile")
  }
}

/// Which labels occur.
struct LabelSet {
  /// Ascending.
  let labels: [UInt16]

  init(_ all: [UInt16]) {
    var isPresent = [Bool](repeating: false, count: Int(UInt16.max) + 1)
    all.withUnsafeBufferPointer { all in
      for label in all { isPresent[Int(label)] = true }
    }
    labels = isPresent.indices.filter { isPresent[$0] }.map { UInt16($0) }
  }
}
