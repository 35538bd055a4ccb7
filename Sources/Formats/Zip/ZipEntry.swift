import Support

/// One file of a zip archive, its two headers checked against each other.
struct ZipEntry: Sendable {
  enum Method: UInt16, Sendable {
    case stored = 0
    case deflated = 8
  }

  var name: String
  var method: Method
  var flags: UInt16
  var crc: UInt32
  var compressedSize: Int
  var uncompressedSize: Int
  var headerOffset: Int
  /// Where the bytes start; set once the local header has been read.
  var dataOffset = 0
  /// One past the last byte that belongs to the entry, its descriptor included.
  var end = 0
  var isDirectory: Bool

  static let centralHeaderSize = 46
  private static let unsupportedFlags: [UInt16: String] = [
    0x0001: "encryption", 0x0020: "patch data", 0x0040: "strong encryption",
    0x2000: "masked headers",
  ]

  var hasDescriptorFlag: Bool { flags & 8 != 0 }
  /// Whether the entry says that its name is in UTF-8.
  var isUTF8: Bool { flags & 0x800 != 0 }
  /// The part of the file that the data fill.
  var dataRange: Range<Int> { dataOffset..<dataOffset + compressedSize }

  /// Parses one central header.
  ///
  /// - Throws: `FormatError` with a `zip…` code.
  init(central cursor: inout ByteCursor) throws {
    let at = cursor.offset
    guard try cursor.u32() == 0x0201_4B50 else {
      throw FormatError(.zipBadHeader, offset: at, expected: "a directory entry")
    }
    let madeBy = try cursor.u16()
    _ = try cursor.u16()
    flags = try cursor.u16()
    let method = try cursor.u16()
    _ = try cursor.u32()
    crc = try cursor.u32()
    let sizes = [try cursor.u32(), try cursor.u32()]
    let lengths = [try cursor.u16(), try cursor.u16(), try cursor.u16()].map(Int.init)
    let disk = try cursor.u16()
    _ = try cursor.u16()
    let attributes = try cursor.u32()
    let localOffset = try cursor.u32()
    let name = try Self.checkedName(cursor.slice(lengths[0]), at)
    let extra = try ZipExtraField(cursor.slice(lengths[1]), offset: at)
    _ = try cursor.take(lengths[2])
    guard disk == 0 || disk == .max else { throw FormatError(.zipMultiDisk, subject: name) }
    let wide = try naming(name) {
      // The specification's order is uncompressed, compressed, offset.
      try extra.widen([sizes[1], sizes[0], localOffset], offset: at)
    }
    (uncompressedSize, compressedSize, headerOffset) = (wide[0], wide[1], wide[2])
    self.name = name
    self.method = try Self.checkedMethod(method, flags, name)
    isDirectory = try Self.isDirectory(name, madeBy: madeBy, attributes)
    guard self.method == .deflated || compressedSize == uncompressedSize else {
      throw FormatError(
        .zipHeaderMismatch, subject: name, expected: "equal sizes of a stored entry",
        found: "\(compressedSize) and \(uncompressedSize)")
    }
  }

  private static func checkedName(_ bytes: ArraySlice<UInt8>, _ offset: Int) throws -> String {
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw FormatError(.zipBadName, offset: offset, expected: "UTF-8")
    }
    var parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    if parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
    let isBad = parts.contains { part in
      part.isEmpty || part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8)
        || part.contains { $0 == 0 || $0 == UInt8(ascii: "\\") }
    }
    guard !isBad else {
      throw FormatError(
        .zipBadName, offset: offset, subject: name, expected: "a plain relative path")
    }
    return name
  }

  private static func checkedMethod(
    _ method: UInt16, _ flags: UInt16, _ name: String
  ) throws -> Method {
    for (flag, feature) in unsupportedFlags.sorted(by: { $0.key < $1.key })
    where flags & flag != 0 {
      throw FormatError(.zipUnsupportedFlag, subject: name, found: feature)
    }
    guard let known = Method(rawValue: method) else {
      throw FormatError(
        .zipUnsupportedMethod, subject: name, expected: "stored (0) or deflated (8)",
        found: "method \(method)")
    }
    return known
  }

  /// Whether the entry is a directory; any other special file is refused.
  private static func isDirectory(
    _ name: String, madeBy: UInt16, _ attributes: UInt32
  ) throws -> Bool {
    // Only archives made on Unix (3) or macOS (19) carry a file mode in the upper half.
    let fromUnix = madeBy >> 8 == 3 || madeBy >> 8 == 19
    let kind = fromUnix ? attributes >> 16 & 0xF000 : 0
    guard kind == 0 || kind == 0x8000 || kind == 0x4000 else {
      throw FormatError(.zipNotRegular, subject: name, found: "a link or device")
    }
    return name.utf8.last == UInt8(ascii: "/") || kind == 0x4000 || attributes & 0x10 != 0
  }
}

/// Runs `body` and completes the errors it throws with the record they concern.
func naming<Result>(_ record: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch var error as FormatError where error.subject == nil {
    error.subject = record.escapedForDisplay.shortened()
    throw error
  }
}
