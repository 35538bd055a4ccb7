/// The chain of extensions behind a header: sizes and codes are checked, contents left alone.
enum NIfTIExtensions {
  /// - Parameter bytes: from the extension flag to the voxels or the end of the header's file.
  /// - Throws: `FormatError` with code `badNiftiHeader`.
  static func check(_ bytes: [UInt8], of header: NIfTIHeader) throws {
    // A header alone, four bytes short, has no extensions either.
    guard bytes.count >= 4, bytes[0] != 0 else { return }
    var place = 4
    while bytes.count - place >= 16 {
      let size = number(bytes[place..<place + 4], header.isBigEndian)
      // Zeros at the end fill up to an aligned offset.
      if size == 0, place > 4, bytes[place...].allSatisfy({ $0 == 0 }) { return }
      guard size >= 16, size % 16 == 0, size <= bytes.count - place else {
        throw FormatError(
          .badNiftiHeader, offset: header.version.headerBytes + place, subject: "esize",
          expected: "a multiple of 16 within \(bytes.count - place) bytes", found: "\(size)")
      }
      place += size
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>, _ isBigEndian: Bool) -> Int {
    let word =
      isBigEndian
      ? bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      : bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return Int(Int32(bitPattern: word))
  }
}
