/// A `.npy` file opened for reading: one array, named `array`.
final class NpyFile: Checkpoint {
  let container = ContainerKind.npy
  let metadata = CheckpointMetadata()
  let notes: [String] = []
  private let file: InputFile
  private let header: NpyHeader

  var path: String { file.path }
  var fileSize: Int { file.sizeOnDisk }
  var compression: Compression? { file.source?.compression }
  var tensors: [TensorInfo] { [header.array.info] }

  /// Reads and checks the header.
  ///
  /// - Throws: `FormatError` with a numpy code.
  init(_ file: InputFile) throws {
    self.file = file
    let prefix = try file.bytes(0..<min(file.size, NpyHeader.mostBytes))
    header = try NpyHeader(prefix, size: file.size, name: "array")
  }

  func checkUnchanged() throws { try file.checkUnchanged() }

  func reader(of index: Int) throws -> any TensorReader {
    try header.array.reader(over: FileRangeReader(file, header.dataOffset..<file.size))
  }
}
