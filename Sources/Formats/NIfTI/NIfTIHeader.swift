/// The fixed part of a NIfTI file: its bytes as they were, and the fields that matter here.
public struct NIfTIHeader: Sendable, Equatable {
  public let version: NIfTIVersion
  /// Whether the file's byte order is not little-endian.
  public let isBigEndian: Bool
  /// As many as `version.headerBytes`.
  public private(set) var bytes: [UInt8]

  /// Finds out version and byte order.
  ///
  /// - Parameter bytes: the first bytes of the file, which may be more than the header.
  /// - Throws: `FormatError` with code `badNiftiHeader` or `truncated`.
  init(_ bytes: [UInt8]) throws {
    guard bytes.count >= 4 else {
      throw FormatError(
        .truncated, offset: bytes.count, expected: "a NIfTI header", found: "\(bytes.count) bytes")
    }
    let size = bytes[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    switch (size, size.byteSwapped) {
    case (348, _): (version, isBigEndian) = (.one, false)
    case (540, _): (version, isBigEndian) = (.two, false)
    case (_, 348): (version, isBigEndian) = (.one, true)
    case (_, 540): (version, isBigEndian) = (.two, true)
    default: throw Self.bad(.headerSize, 0, "348 or 540 in either byte order", "\(size)")
    }
    guard bytes.count >= version.headerBytes else {
      throw FormatError(
        .truncated, offset: bytes.count, expected: "\(version.headerBytes) bytes of header",
        found: "\(bytes.count)")
    }
    self.bytes = Array(bytes[..<version.headerBytes])
  }

  /// A header of zeros but for its size and magic.
  init(_ version: NIfTIVersion) {
    self.version = version
    isBigEndian = false
    bytes = [UInt8](repeating: 0, count: version.headerBytes)
    set(.headerSize, to: version.headerBytes)
    setMagic(isPair: false)
  }

  /// Whether the voxels lie in a file of their own.
  ///
  /// - Throws: `FormatError` with code `badNiftiHeader` for another magic.
  func isPair() throws -> Bool {
    let start = version.place(of: .magic).offset
    if bytes[start...].starts(with: Self.magic(version, isPair: false)) { return false }
    if bytes[start...].starts(with: Self.magic(version, isPair: true)) { return true }
    throw Self.bad(
      .magic, start, "'n+\(version.rawValue)' or 'ni\(version.rawValue)'",
      String(decoding: bytes[start..<start + 4], as: UTF8.self))
  }

  mutating func setMagic(isPair: Bool) {
    let (start, magic) = (version.place(of: .magic).offset, Self.magic(version, isPair: isPair))
    bytes.replaceSubrange(start..<start + magic.count, with: magic)
  }

  private static func magic(_ version: NIfTIVersion, isPair: Bool) -> [UInt8] {
    let letters: [UInt8] = isPair ? Array("ni".utf8) : Array("n+".utf8)
    return version == .one
      ? letters + [0x31, 0] : letters + [0x32, 0, 0x0D, 0x0A, 0x1A, 0x0A]
  }

  /// A whole number of a field.
  func integer(_ field: NIfTIField, _ index: Int = 0) -> Int {
    let (offset, number) = place(field, index)
    let word = word(offset, number.byteCount)
    return switch number {
    case .u8: Int(word)
    case .i16: Int(Int16(truncatingIfNeeded: word))
    case .i32: Int(Int32(truncatingIfNeeded: word))
    case .i64: Int(Int64(truncatingIfNeeded: word))
    case .f32, .f64: preconditionFailure("\(field.rawValue) holds no whole numbers")
    }
  }

  /// A number of a field that holds fractions; whole ones in some versions are given as such.
  func real(_ field: NIfTIField, _ index: Int = 0) -> Double {
    let (offset, number) = place(field, index)
    return switch number {
    case .f32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: word(offset, 4))))
    case .f64: Double(bitPattern: word(offset, 8))
    default: Double(integer(field, index))
    }
  }

  mutating func set(_ field: NIfTIField, _ index: Int = 0, to value: Int) {
    let (offset, number) = place(field, index)
    switch number {
    case .f32, .f64: set(field, index, to: Double(value))
    default: store(UInt64(bitPattern: Int64(value)), offset, number.byteCount)
    }
  }

  mutating func set(_ field: NIfTIField, _ index: Int = 0, to value: Double) {
    let (offset, number) = place(field, index)
    switch number {
    case .f32: store(UInt64(Float(value).bitPattern), offset, 4)
    case .f64: store(value.bitPattern, offset, 8)
    default: preconditionFailure("\(field.rawValue) holds whole numbers")
    }
  }

  func place(_ field: NIfTIField, _ index: Int = 0) -> (offset: Int, number: NIfTINumber) {
    let (offset, number) = version.place(of: field)
    return (offset + index * number.byteCount, number)
  }

  private func word(_ offset: Int, _ count: Int) -> UInt64 {
    let part = bytes[offset..<offset + count]
    return isBigEndian
      ? part.reduce(0) { $0 << 8 | UInt64($1) }
      : part.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func store(_ value: UInt64, _ offset: Int, _ count: Int) {
    for place in 0..<count {
      let shift = 8 * (isBigEndian ? count - 1 - place : place)
      bytes[offset + place] = UInt8(truncatingIfNeeded: value >> shift)
    }
  }

  static func bad(
    _ field: NIfTIField, _ offset: Int, _ expected: String, _ found: String, remedy: String? = nil
  ) -> FormatError {
    FormatError(
      .badNiftiHeader, offset: offset, subject: field.rawValue, expected: expected, found: found,
      remedy: remedy)
  }

  /// The error about a field's number.
  func bad(
    _ field: NIfTIField, _ index: Int = 0, expected: String, remedy: String? = nil
  ) -> FormatError {
    let (offset, number) = place(field, index)
    let found: String
    switch number {
    case .f32, .f64: found = "\(real(field, index))"
    default: found = "\(integer(field, index))"
    }
    return Self.bad(field, offset, expected, found, remedy: remedy)
  }
}
