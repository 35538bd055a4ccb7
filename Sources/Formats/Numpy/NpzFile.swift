import Support

/// A zip archive of `.npy` files opened for reading; each is a tensor under its name without the
/// ending.
final class NpzFile: Checkpoint {
  let container = ContainerKind.npz
  let metadata = CheckpointMetadata()
  let notes: [String] = []
  let tensors: [TensorInfo]
  private let zip: ZipArchive
  private let headers: [NpyHeader]

  private static let ending = ".npy"

  var path: String { zip.file.path }
  var fileSize: Int { zip.file.sizeOnDisk }
  var compression: Compression? { zip.file.source?.compression }

  /// Whether an archive is one of arrays: all its names end so, and there are some.
  static func isLikely(_ zip: ZipArchive) -> Bool {
    !zip.entries.isEmpty && zip.entries.allSatisfy { $0.name.hasSuffix(ending) }
  }

  /// Reads and checks the header of every array.
  ///
  /// - Throws: `FormatError` with a zip or numpy code, naming the member.
  init(_ zip: ZipArchive, options: CheckpointOptions) throws {
    self.zip = zip
    headers = try zip.entries.map { entry in
      try naming(entry.name) { try Self.header(of: entry, in: zip) }
    }
    tensors = headers.map(\.array.info)
    try checkExpansion(of: tensors, from: zip.file.sizeOnDisk, isAllowed: options.allowsExpansion)
  }

  func checkUnchanged() throws { try zip.file.checkUnchanged() }

  func reader(of index: Int) throws -> any TensorReader {
    let record = try RecordReader(zip, zip.entries[index])
    // The record's checksum is over the header too.
    _ = try record.bytes(count: headers[index].dataOffset)
    return try naming(file: path) { try headers[index].array.reader(over: record) }
  }

  private static func header(of entry: ZipEntry, in zip: ZipArchive) throws -> NpyHeader {
    guard !entry.isDirectory else {
      throw FormatError(.zipNotRegular, found: "a directory")
    }
    try checkName(entry)
    let count = min(entry.uncompressedSize, NpyHeader.mostBytes)
    let prefix = try RecordReader(zip, entry).bytes(count: count)
    guard !prefix.starts(with: [0x80]) else {
      throw FormatError(
        .unsupportedContainer, expected: "a numpy array", found: "a pickled object",
        remedy: "save plain arrays: numpy.savez(path, name=array)")
    }
    let name = TensorName(String(entry.name.dropLast(ending.count)))
    return try NpyHeader(prefix, size: entry.uncompressedSize, name: name)
  }

  /// Beyond ASCII, a name means one thing to some readers and another to others unless the entry
  /// says that it is UTF-8 (APPNOTE.TXT, appendix D).
  private static func checkName(_ entry: ZipEntry) throws {
    guard entry.isUTF8 || entry.name.utf8.allSatisfy({ $0 < 0x80 }) else {
      throw FormatError(.zipBadName, expected: "the mark of UTF-8 on a name beyond ASCII")
    }
    guard entry.name.utf8.count <= Budgets.tensorNameBytes else {
      throw FormatError(.nameLimit)
    }
  }
}
