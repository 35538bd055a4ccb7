import Support

/// What a file's bytes say it is; its name says nothing.
enum FileKind: Equatable {
  /// A torch archive or an npz archive; their records tell which.
  case zip
  case torchLegacy
  /// A pickle without a container, such as numpy arrays are dumped to.
  case barePickle
  case safeTensors
  /// Text in JSON; only the index of a sharded checkpoint is of use.
  case json
  case npy
  case hdf5
  case compressed(Compression)
  /// Something with a name that wt does not read.
  case unsupported(String, remedy: String?)
  case unknown

  private static let legacyTorch: [UInt8] = [0x80, 0x02, 0x8A, 0x0A] + TorchStream.magic + [0x2E]

  /// Looks at the beginning and the end of the file.
  ///
  /// - Throws: `FormatError` with code `truncated` for an empty file and `trailingBytes` for one
  ///   that is a zip archive or an HDF5 file as well as something else.
  static func detect(_ file: InputFile) throws -> FileKind {
    guard file.size > 0 else {
      throw FormatError(.truncated, offset: 0, expected: "a checkpoint", found: "an empty file")
    }
    let head = try file.bytes(0..<min(file.size, 4096))
    let kind = try kind(file, head)
    if kind != .hdf5 { try FileTwin.refuseHDF5(in: file) }
    if kind != .zip { try FileTwin.refuseZip(behind: file) }
    return kind
  }

  private static func kind(_ file: InputFile, _ head: [UInt8]) throws -> FileKind {
    if head.starts(with: [0x50, 0x4B, 3, 4]) || head.starts(with: [0x50, 0x4B, 5, 6]) {
      return .zip
    }
    // Before the magics: a header of 640 bytes begins as a pickle does.
    if isPlainlySafeTensors(head, file.size) { return .safeTensors }
    return try named(head, file) ?? (isSafeTensors(head, file.size) ? .safeTensors : .unknown)
  }

  private static func named(_ head: [UInt8], _ file: InputFile) throws -> FileKind? {
    let magics: [(bytes: [UInt8], kind: FileKind)] = [
      (legacyTorch, .torchLegacy),
      ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], .npy),
      ([0x28, 0xB5, 0x2F, 0xFD], .compressed(.zstd)),
      ([0x1F, 0x8B], .compressed(.gzip)),
      ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], foreign("a 7z archive: unpack it first")),
      ([0x42, 0x5A, 0x68], foreign("a bzip2-compressed file: unpack it first")),
      ([0xFD, 0x37, 0x7A, 0x58, 0x5A], foreign("an xz-compressed file: unpack it first")),
      ([0x52, 0x61, 0x72, 0x21], foreign("a RAR archive: unpack it first")),
      (Array("PYTORCH1".utf8), foreign("a torch preview archive")),
      (Array("GGUF".utf8), foreign("a GGUF file")),
      ([0x89, 0x50, 0x4E, 0x47], foreign("a PNG picture, not a checkpoint")),
    ]
    if let magic = magics.first(where: { head.starts(with: $0.bytes) }) { return magic.kind }
    // A skippable frame: 0x184D2A50 to 0x184D2A5F, little-endian.
    if head.count >= 4, head[0] & 0xF0 == 0x50, head[1..<4].elementsEqual([0x2A, 0x4D, 0x18]) {
      return .compressed(.zstd)
    }
    return try HDF5Signature.place(in: file) != nil ? .hdf5 : text(head) ?? framed(head, file)
  }

  private static func foreign(_ name: String) -> FileKind { .unsupported(name, remedy: nil) }

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
    // The length in front of a safetensors header always holds zeros, which text never does.
    let isText = !head.prefix(8).contains(0)
    return isText && page.hasPrefix("{") ? .json : nil
  }

  private static func framed(_ head: [UInt8], _ file: InputFile) -> FileKind? {
    if let header = try? NIfTIHeader(head), (try? header.isPair()) != nil {
      return .unsupported(
        "a NIfTI volume, not a checkpoint", remedy: "scans go to wt prepare, predict and eval")
    }
    if head.count > 262, head[257..<262].elementsEqual("ustar".utf8) {
      return .unsupported(
        "a tar archive", remedy: "if torch wrote it, save it again with torch ≥ 1.6")
    }
    if head.count >= 2, head[0] == 0x80, (2...5).contains(head[1]) {
      return TorchStream.isLikely(file) ? .torchLegacy : .barePickle
    }
    return nil
  }

  /// A header length that fits the file with a brace where the header begins; nothing else has
  /// both, since four of the length's bytes are then zero.
  private static func isPlainlySafeTensors(_ head: [UInt8], _ size: Int) -> Bool {
    guard head.count > 8 else { return false }
    let length = head[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return length <= UInt64(Budgets.safeTensorsHeaderBytes) && Int(length) <= size - 8
      && head[8...].first { ![0x20, 9, 10, 13].contains($0) } == UInt8(ascii: "{")
  }

  /// Any file that could be meant as safetensors, so that its faults are told as such.
  private static func isSafeTensors(_ head: [UInt8], _ size: Int) -> Bool {
    guard head.count >= 8 else { return true }
    let length = head[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    if length <= UInt64(Budgets.safeTensorsHeaderBytes), Int(length) <= size - 8 { return true }
    let first = head[8...].first { ![0x20, 9, 10, 13].contains($0) }
    return first == UInt8(ascii: "{")
  }
}
