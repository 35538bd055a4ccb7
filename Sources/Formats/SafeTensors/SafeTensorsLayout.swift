import Support

/// Where everything of a safetensors file to be written will lie.
///
/// The order is the reference writer's: widest element type first, then names by their bytes; the
/// header is padded to a multiple of eight. The same tensors so give the same bytes, always.
struct SafeTensorsLayout: FileLayout {
  /// The length field, the JSON and its padding.
  let header: [UInt8]
  /// For each tensor, in the order given, where its bytes begin in the file.
  let offsets: [Int]
  /// The places in the given list, in the order of the file.
  let order: [Int]
  let fileSize: Int

  /// Lays out the tensors.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype`, `nameLimit`, `duplicateName`,
  ///   `headerTooLarge` or `overflow`.
  init(_ tensors: [TensorInfo], metadata: CheckpointMetadata) throws {
    try checkWritableNames(tensors)
    for tensor in tensors { try Self.check(tensor) }
    order = tensors.indices.sorted { Self.precedes(tensors[$0], tensors[$1]) }
    var starts = [Int](repeating: 0, count: tensors.count)
    var end = 0
    for index in order {
      starts[index] = end
      let (sum, overflow) = end.addingReportingOverflow(tensors[index].byteCount)
      guard !overflow else { throw FormatError(.overflow, subject: tensors[index].name) }
      end = sum
    }
    header = try Self.header(order.map { (tensors[$0], starts[$0]) }, metadata)
    let dataStart = header.count
    offsets = starts.map { $0 + dataStart }
    fileSize = dataStart + end
  }

  let needsChecksums = false

  func framing(_ checksums: [UInt32]) -> [FramingPiece] {
    [FramingPiece(offset: 0, bytes: header)]
  }

  private static func precedes(_ left: TensorInfo, _ right: TensorInfo) -> Bool {
    let (first, second) = (left.dtype.safeTensorsRank, right.dtype.safeTensorsRank)
    return first == second ? left.name < right.name : first > second
  }

  private static func check(_ tensor: TensorInfo) throws {
    guard tensor.dtype.isStorableInSafeTensors else {
      throw FormatError(
        .unsupportedDtype, subject: tensor.name, expected: "a dtype of the safetensors format",
        found: tensor.dtype.rawValue, remedy: "convert the tensor to complex64 (C64) in Python")
    }
    guard tensor.name != "__metadata__" else {
      throw FormatError(.nameLimit, subject: tensor.name, expected: "a name safetensors can hold")
    }
  }

  private static func header(
    _ tensors: [(info: TensorInfo, start: Int)], _ metadata: CheckpointMetadata
  ) throws -> [UInt8] {
    var fields: [String] = []
    if !metadata.entries.isEmpty {
      fields.append("\"__metadata__\":\(metadata.json)")
    }
    for (info, start) in tensors {
      let shape = info.shape.map(String.init).joined(separator: ",")
      fields.append(
        "\(JSON.quoted(info.name.text)):{\"dtype\":\"\(info.dtype.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(start),\(start + info.byteCount)]}")
    }
    var json = Array("{\(fields.joined(separator: ","))}".utf8)
    json += Array(repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    guard json.count <= Budgets.safeTensorsHeaderBytes else {
      throw FormatError(
        .headerTooLarge, expected: "at most \(Budgets.safeTensorsHeaderBytes) bytes",
        found: "\(json.count)")
    }
    return withUnsafeBytes(of: UInt64(json.count).littleEndian, Array.init) + json
  }
}
