import Formats

/// A file of training data, read a stack of slices at a time.
///
/// In the file are, for each case, `cases/NAME/images` [Z, C, H, W] of floats and `cases/NAME/labels`
/// [Z, H, W] of bytes, in chunks of one slice. Nothing is cached: a stack costs the chunks that it
/// lies in, and calls may come from any thread.
public struct DatasetFile: Sendable {
  public let path: String
  public let description: DatasetDescription
  private let checkpoint: HDF5Checkpoint
  /// The places of each case's two tensors.
  private let places: [(images: Int, labels: Int)]

  public var cases: [DatasetCase] { description.cases }
  public var classNames: [String] { description.classNames }

  /// Reads and checks everything but the tensors' numbers.
  ///
  /// - Throws: `DatasetError` with code `notADataset` or `badDataset`, or `FormatError`.
  public init(path: String) throws {
    self.path = path
    var options = CheckpointOptions()
    // Label maps shrink beyond all proportion; what is read at once is bounded below.
    options.allowsExpansion = true
    guard let checkpoint = try openCheckpoint(path, options: options) as? HDF5Checkpoint else {
      throw DatasetError(
        .notADataset, file: path, expected: "an HDF5 file", remedy: "make one with wt prepare")
    }
    self.checkpoint = checkpoint
    var description = try DatasetMetadata(checkpoint.metadata, file: path).description()
    try DatasetNames.check(description.cases.map(\.name), file: path)
    guard (1...254).contains(description.classNames.count) else {
      throw DatasetError(
        .badDataset, file: path, expected: "1 to 254 classes",
        found: "\(description.classNames.count)")
    }
    let placed = try Self.places(of: description.cases, in: checkpoint)
    for (index, place) in placed.enumerated() {
      try Self.complete(&description.cases[index], place, checkpoint)
    }
    places = placed
    self.description = description
  }

  private static func places(
    of cases: [DatasetCase], in checkpoint: HDF5Checkpoint
  ) throws -> [(images: Int, labels: Int)] {
    var byName: [TensorName: Int] = [:]
    for (place, tensor) in checkpoint.tensors.enumerated() { byName[tensor.name] = place }
    let places = try cases.map { item in
      let names = [DatasetNames.images(item.name), DatasetNames.labels(item.name)]
      let found = try names.map { name in
        guard let place = byName.removeValue(forKey: name) else {
          throw DatasetError(.badDataset, file: checkpoint.path, subject: name.text, found: "none")
        }
        return place
      }
      return (found[0], found[1])
    }
    if let other = byName.keys.min() {
      throw DatasetError(
        .badDataset, file: checkpoint.path, subject: other.text,
        expected: "tensors of listed cases alone")
    }
    return places
  }

  private static func complete(
    _ item: inout DatasetCase, _ place: (images: Int, labels: Int), _ checkpoint: HDF5Checkpoint
  ) throws {
    let (images, labels) = (checkpoint.tensors[place.images], checkpoint.tensors[place.labels])
    let shape = images.shape
    guard images.dtype == .float32, shape.count == 4, shape[0] > 0, [1, 3].contains(shape[1]),
      shape[2...].allSatisfy({ (1...PlaneLimit.most).contains($0) })
    else {
      throw DatasetError(
        .badDataset, file: checkpoint.path, subject: images.name.text,
        expected: "floats of shape [Z, 1 or 3, H, W]", found: "\(images.dtype.rawValue) \(shape)")
    }
    guard labels.dtype == .uint8, labels.shape == [shape[0], shape[2], shape[3]] else {
      throw DatasetError(
        .badDataset, file: checkpoint.path, subject: labels.name.text,
        expected: "bytes of shape \([shape[0], shape[2], shape[3]])",
        found: "\(labels.dtype.rawValue) \(labels.shape)")
    }
    (item.slices, item.channels, item.height, item.width) = (shape[0], shape[1], shape[2], shape[3])
  }

  /// Reads the slices around one, edges repeated.
  ///
  /// - Parameters:
  ///   - case: the place in `cases`.
  ///   - centre: of the stack; slice `slices / 2` of what is returned.
  ///   - slices: of the stack, as many as the model takes.
  /// - Throws: `DatasetError` with code `labelOutOfRange` or `notFinite`, or `FormatError`.
  public func readStack(case index: Int, centre: Int, slices: Int) throws -> DatasetStack {
    let item = cases[index]
    precondition(slices > 0 && (0..<item.slices).contains(centre), "a stack within the case")
    let first = centre - slices / 2
    let chosen = (first..<first + slices).map { min(max($0, 0), item.slices - 1) }
    let rows = chosen[0]..<chosen[slices - 1] + 1
    let images = try floats(index, rows)
    let labels = try labels(index, rows)
    return DatasetStack(
      item, chosen.map { $0 - rows.lowerBound }, images, labels)
  }

  /// Reads the intensities [slices, channels, height, width] of some slices as they are stored.
  ///
  /// - Throws: `DatasetError` with code `notFinite`, or `FormatError`.
  public func readImages(case index: Int, slices: Range<Int>) throws -> [Float] {
    precondition(slices.lowerBound >= 0 && slices.upperBound <= cases[index].slices)
    return try floats(index, slices)
  }

  /// Slices [Z, C, H, W] as they are stored.
  private func floats(_ index: Int, _ rows: Range<Int>) throws -> [Float] {
    let bytes = try checkpoint.bytes(of: places[index].images, rows: rows)
    let floats = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { place in
        Float(
          bitPattern: UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self)))
      }
    }
    guard floats.allSatisfy(\.isFinite) else {
      throw DatasetError(
        .notFinite, file: path, subject: cases[index].name, expected: "finite intensities",
        found: "others in slices \(rows.lowerBound) to \(rows.upperBound - 1)")
    }
    return floats
  }

  /// Reads the labels [slices, height, width] of some slices.
  ///
  /// - Parameters:
  ///   - case: the place in `cases`.
  ///   - slices: within the case.
  /// - Throws: `DatasetError` with code `labelOutOfRange`, or `FormatError`.
  public func readLabels(case index: Int, slices: Range<Int>) throws -> [UInt8] {
    precondition(slices.lowerBound >= 0 && slices.upperBound <= cases[index].slices)
    return try labels(index, slices)
  }

  private func labels(_ index: Int, _ rows: Range<Int>) throws -> [UInt8] {
    let labels = try checkpoint.bytes(of: places[index].labels, rows: rows)
    if let wrong = labels.first(where: { Int($0) > classNames.count }) {
      throw DatasetError(
        .labelOutOfRange, file: path, subject: cases[index].name,
        expected: "0 to \(classNames.count)",
        found: "\(wrong) in slices \(rows.lowerBound) to \(rows.upperBound - 1)")
    }
    return labels
  }
}
