/// The tagged blocks that follow a zip header's name.
struct ZipExtraField {
  private var blocks: [UInt16: ArraySlice<UInt8>] = [:]

  /// Splits the field into its blocks, which must fill it exactly.
  ///
  /// - Throws: `FormatError` with code `zipBadExtra`.
  init(_ bytes: ArraySlice<UInt8>, offset: Int) throws {
    var rest = bytes
    while !rest.isEmpty {
      let at = offset + rest.startIndex - bytes.startIndex
      guard rest.count >= 4 else {
        throw FormatError(.zipBadExtra, offset: at, expected: "4 bytes", found: "\(rest.count)")
      }
      let head = Array(rest.prefix(4))
      let size = Int(head[2]) | Int(head[3]) << 8
      guard size <= rest.count - 4 else {
        throw FormatError(
          .zipBadExtra, offset: at, expected: "at most \(rest.count - 4) bytes", found: "\(size)")
      }
      rest = rest.dropFirst(4)
      blocks[UInt16(head[0]) | UInt16(head[1]) << 8] = rest.prefix(size)
      rest = rest.dropFirst(size)
    }
  }

  /// Replaces every 32-bit field that is all ones by its 64-bit value, in the order of APPNOTE
  /// §4.5.3.
  ///
  /// - Throws: `FormatError` with code `zip64Mismatch`.
  func widen(_ fields: [UInt32], offset: Int) throws -> [Int] {
    guard let block = blocks[1] else {
      guard fields.allSatisfy({ $0 != .max }) else {
        throw FormatError(.zip64Mismatch, offset: offset, expected: "a zip64 extra field")
      }
      return fields.map(Int.init)
    }
    var cursor = ByteCursor(Array(block), base: offset)
    return try fields.map { field in
      guard field == .max else { return Int(field) }
      guard cursor.remaining >= 8 else {
        throw FormatError(.zip64Mismatch, offset: offset, expected: "8 more bytes of zip64 field")
      }
      return try cursor.length64(.zip64Mismatch)
    }
  }

  var hasZip64: Bool { blocks[1] != nil }
}
