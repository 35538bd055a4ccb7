/// Checks of the header and descriptor that stand beside an entry's data.
///
/// Tools that read only one of the two headers can be shown different files; here both must agree.
extension ZipEntry {
  private static let localHeaderSize = 30

  /// Reads the local header, sets `dataOffset` and `end`, and checks them against the directory.
  ///
  /// - Throws: `FormatError` with code `zipBadOffset`, `zipNameMismatch`, `zipHeaderMismatch`,
  ///   `zipBadExtra`, `zip64Mismatch` or `zipDescriptorMismatch`.
  mutating func locate(in file: InputFile, before directory: Int) throws {
    let nameLength = name.utf8.count
    let fixed = Self.localHeaderSize + nameLength
    guard headerOffset <= directory - fixed else {
      throw FormatError(
        .zipBadOffset, offset: headerOffset, subject: name, expected: "below \(directory)")
    }
    // One read usually covers the alignment padding too.
    let ahead = min(directory, headerOffset + fixed + 128)
    var bytes = try file.bytes(headerOffset..<ahead)
    let extraLength = Int(bytes[28]) | Int(bytes[29]) << 8
    dataOffset = headerOffset + fixed + extraLength
    let (dataEnd, overflow) = dataOffset.addingReportingOverflow(compressedSize)
    guard !overflow, dataEnd <= directory else {
      throw FormatError(
        dataOffset > directory ? .zipBadExtra : .zipBadOffset, offset: headerOffset, subject: name,
        expected: "data that end before \(directory)")
    }
    if dataOffset > ahead { bytes += try file.bytes(ahead..<dataOffset) }
    var cursor = ByteCursor(bytes, base: headerOffset)
    try checkLocal(&cursor)
    end = try hasDescriptorFlag ? descriptorEnd(in: file, dataEnd, directory) : dataEnd
  }

  private mutating func checkLocal(_ cursor: inout ByteCursor) throws {
    let at = cursor.offset
    guard try cursor.u32() == 0x0403_4B50 else {
      throw FormatError(.zipBadOffset, offset: at, subject: name, expected: "a local header")
    }
    _ = try cursor.u16()
    let (localFlags, localMethod) = (try cursor.u16(), try cursor.u16())
    guard localFlags == flags, localMethod == method.rawValue else {
      throw FormatError(
        .zipHeaderMismatch, offset: at, subject: name,
        expected: "flags \(flags), method \(method.rawValue)",
        found: "flags \(localFlags), method \(localMethod)")
    }
    _ = try cursor.u32()
    let localCRC = try cursor.u32()
    let sizes = [try cursor.u32(), try cursor.u32()]
    let (nameLength, extraLength) = (Int(try cursor.u16()), Int(try cursor.u16()))
    guard nameLength == name.utf8.count, try cursor.slice(nameLength).elementsEqual(name.utf8)
    else {
      throw FormatError(.zipNameMismatch, offset: at, subject: name)
    }
    let extra = try naming(name) {
      try ZipExtraField(cursor.slice(extraLength), offset: cursor.offset)
    }
    let wide = try naming(name) { try extra.widen([sizes[1], sizes[0]], offset: at) }
    // A writer that streams does not know these yet and leaves them zero.
    if hasDescriptorFlag, localCRC == 0, wide.allSatisfy({ $0 == 0 }) { return }
    guard localCRC == crc, wide == [uncompressedSize, compressedSize] else {
      throw FormatError(
        .zipHeaderMismatch, offset: at, subject: name,
        expected: "sizes \(uncompressedSize), \(compressedSize)", found: "sizes \(wide)")
    }
  }

  /// The end of the data descriptor: with or without its signature, with 32- or 64-bit sizes.
  private func descriptorEnd(in file: InputFile, _ start: Int, _ directory: Int) throws -> Int {
    let bytes = try file.bytes(start..<min(directory, start + 24))
    for (hasSignature, isWide) in [(true, false), (true, true), (false, false), (false, true)] {
      let expected = descriptor(hasSignature, isWide)
      if bytes.starts(with: expected) { return start + expected.count }
    }
    throw FormatError(
      .zipDescriptorMismatch, offset: start, subject: name,
      expected: "CRC \(crc) and size \(uncompressedSize)")
  }

  private func descriptor(_ hasSignature: Bool, _ isWide: Bool) -> [UInt8] {
    var bytes: [UInt8] = hasSignature ? [0x50, 0x4B, 7, 8] : []
    append(UInt64(crc), width: 4, to: &bytes)
    append(UInt64(compressedSize), width: isWide ? 8 : 4, to: &bytes)
    append(UInt64(uncompressedSize), width: isWide ? 8 : 4, to: &bytes)
    return bytes
  }

  private func append(_ value: UInt64, width: Int, to bytes: inout [UInt8]) {
    for index in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
  }
}
