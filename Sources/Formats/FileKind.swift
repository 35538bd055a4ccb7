import Support

/// What a file's bytes say it is; its name says nothing.
enum FileKind: Equatable {
  case torchZip
  case safeTensors
  /// Something with a name that wt does not read.
  case unsupported(String, remedy: String?)
  case unknown

  private static let legacyTorch: [UInt8] = [
    0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  /// Looks at the beginning and the end of the file.
  ///
  /// - Throws: `FormatError` with code `truncated` for an empty file and `trailingBytes` for one
  ///   that is a zip archive as well as something else.
  static func detect(_ file: InputFile) throws -> FileKind {
    guard file.size > 0 else {
      throw FormatError(.truncated, offset: 0, expected: "a checkpoint", found: "an empty file")
    }
    let head = try file.bytes(0..<min(file.size, 4096))
    if head.starts(with: [0x50, 0x4B, 3, 4]) || head.starts(with: [0x50, 0x4B, 5, 6]) {
      return .torchZip
    }
    try refusePolyglot(file)
    return named(head, file) ?? (isSafeTensors(head, file.size) ? .safeTensors : .unknown)
  }

  private static func named(_ head: [UInt8], _ file: InputFile) -> FileKind? {
    if head.starts(with: legacyTorch) {
      return .unsupported(
        "a torch file from before version 1.6",
        remedy: "in Python: torch.save(torch.load(path, weights_only=True), path + '.new')")
    }
    let magics: [(bytes: [UInt8], name: String)] = [
      ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive: unpack it first"),
      ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], "an HDF5 file"),
      ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], "a numpy .npy file"),
      ([0x28, 0xB5, 0x2F, 0xFD], "a zstd-compressed file: unpack it first"),
      ([0x1F, 0x8B], "a gzip-compressed file: unpack it first"),
      ([0x42, 0x5A, 0x68], "a bzip2-compressed file: unpack it first"),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "an xz-compressed file: unpack it first"),
      ([0x52, 0x61, 0x72, 0x21], "a RAR archive: unpack it first"),
      (Array("PYTORCH1".utf8), "a torch preview archive"),
      (Array("GGUF".utf8), "a GGUF file"),
    ]
    if let magic = magics.first(where: { head.starts(with: $0.bytes) }) {
      return .unsupported(magic.name, remedy: nil)
    }
    return text(head) ?? framed(head)
  }

  /// What a failed download leaves behind.
  private static func text(_ head: [UInt8]) -> FileKind? {
    let start = String(decoding: head.prefix(512), as: UTF8.self)
    if start.hasPrefix("version https://git-lfs") {
      return .unsupported(
        "a Git LFS pointer, not the file itself", remedy: "run 'git lfs pull' and try again")
    }
    let page = start.drop { $0.isWhitespace }.lowercased()
    if page.hasPrefix("<!doctype") || page.hasPrefix("<html") || page.hasPrefix("<?xml") {
      return .unsupported(
        "a web page, not a checkpoint",
        remedy: "the download went to a login or error page: fetch the file itself")
    }
    if page.hasPrefix("{"), start.contains("\"weight_map\"") {
      return .unsupported("the index of a sharded checkpoint", remedy: nil)
    }
    return nil
  }

  private static func framed(_ head: [UInt8]) -> FileKind? {
    if head.count > 262, head[257..<262].elementsEqual("ustar".utf8) {
      return .unsupported(
        "a tar archive", remedy: "if torch wrote it, save it again with torch ≥ 1.6")
    }
    if head.count >= 2, head[0] == 0x80, (2...5).contains(head[1]) {
      return .unsupported(
        "a bare pickle, not a torch archive",
        remedy: "nothing in it was run; save the tensors with torch.save")
    }
    return nil
  }

  /// Any file that could be meant as safetensors, so that its faults are told as such.
  private static func isSafeTensors(_ head: [UInt8], _ size: Int) -> Bool {
    guard head.count >= 8 else { return true }
    let length = head[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    if length <= UInt64(Budgets.safeTensorsHeaderBytes), Int(length) <= size - 8 { return true }
    let first = head[8...].first { ![0x20, 9, 10, 13].contains($0) }
    return first == UInt8(ascii: "{")
  }

  /// A file whose tail is a zip archive is one thing to us and another to Python.
  private static func refusePolyglot(_ file: InputFile) throws {
    let size = ZipDirectoryEnd.recordSize
    guard file.size > size else { return }
    let tail = try file.bytes(file.size - size..<file.size)
    guard !tail.starts(with: [0x50, 0x4B, 5, 6]) else {
      throw FormatError(
        .trailingBytes, offset: file.size - size, expected: "one format",
        found: "a zip archive after other bytes")
    }
  }
}

/// Opens a checkpoint of any supported container, chosen by its content.
///
/// - Throws: `FormatError` with a code of the container, or `unknownFormat` or
///   `unsupportedContainer`.
public func openCheckpoint(
  _ path: String, options: CheckpointOptions = CheckpointOptions(),
  fileSystem: any FileSystem = POSIXFileSystem()
) throws -> any Checkpoint {
  let file = try InputFile(path, fileSystem: fileSystem)
  return try naming(file: path) {
    switch try FileKind.detect(file) {
    case .torchZip: return try TorchCheckpoint(file, options: options)
    case .safeTensors:
      guard options.key == nil else {
        throw FormatError(
          .keyNotFound, subject: options.key, found: "a safetensors file, which has no parts")
      }
      return try SafeTensorsFile(file)
    case .unsupported(let name, let remedy):
      throw FormatError(.unsupportedContainer, found: name, remedy: remedy)
    case .unknown: throw FormatError(.unknownFormat, found: "\(file.size) bytes of unknown kind")
    }
  }
}
