/// A safetensors file opened for reading.
public final class SafeTensorsFile: Checkpoint {
  public let container = ContainerKind.safeTensors
  public let tensors: [TensorInfo]
  public let metadata: CheckpointMetadata
  public let notes: [String] = []
  let file: InputFile
  /// Where each tensor's bytes lie in the file.
  let ranges: [Range<Int>]

  public var path: String { file.path }
  public var fileSize: Int { file.sizeOnDisk }
  public var compression: Compression? { file.source?.compression }

  /// Reads and checks the header.
  ///
  /// - Throws: `FormatError` with a safetensors or file code.
  public convenience init(path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    try self.init(InputFile(path, fileSystem: fileSystem))
  }

  init(_ file: InputFile) throws {
    self.file = file
    let header = try naming(file: file.path) { try Self.header(file) }
    let start = header.dataStart
    tensors = header.value.entries.map(\.info)
    ranges = header.value.entries.map { start + $0.begin..<start + $0.end }
    metadata = header.value.metadata
  }

  public func checkUnchanged() throws { try file.checkUnchanged() }

  public func reader(of index: Int) throws -> any TensorReader {
    FileRangeReader(file, ranges[index])
  }

  /// Fills the buffer with a part of one tensor's bytes, given by its place in `tensors`.
  ///
  /// - Parameter offset: from the tensor's first byte; the part lies within the tensor.
  /// - Throws: `FormatError` with code `fileChanged` or `ioError`.
  public func read(
    _ index: Int, at offset: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws {
    precondition(offset >= 0 && buffer.count <= ranges[index].count - offset)
    try file.read(into: buffer, at: ranges[index].lowerBound + offset)
  }

  public func mapped(_ index: Int) throws -> MappedBytes? {
    #if _endian(little)
      return ranges[index].isEmpty ? nil : try file.mapped(ranges[index])
    #else
      return nil
    #endif
  }

  private static func header(
    _ file: InputFile
  ) throws -> (value: SafeTensorsHeader, dataStart: Int) {
    let lengthBytes = SafeTensorsHeader.lengthBytes
    guard file.size >= lengthBytes else {
      throw FormatError(
        .headerTooSmall, offset: 0, expected: "at least \(lengthBytes) bytes",
        found: "\(file.size)")
    }
    var cursor = ByteCursor(try file.bytes(0..<lengthBytes))
    let length = try cursor.u64()
    guard length <= UInt64(Budgets.safeTensorsHeaderBytes) else {
      throw FormatError(
        .headerTooLarge, offset: 0, expected: "at most \(Budgets.safeTensorsHeaderBytes) bytes",
        found: "\(length)")
    }
    let start = lengthBytes + Int(length)
    guard start <= file.size else {
      throw FormatError(
        .headerBeyondFile, offset: 0, expected: "at most \(file.size - lengthBytes) bytes",
        found: "\(length)", remedy: "the file is incomplete: fetch it again")
    }
    let json = try file.bytes(lengthBytes..<start)
    return (try SafeTensorsHeader(json, dataBytes: file.size - start), start)
  }
}
