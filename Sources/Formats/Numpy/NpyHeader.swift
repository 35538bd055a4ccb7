/// The header of a `.npy` file: how its elements are to be read.
///
/// Source: numpy/lib/format.py. numpy allocates what the header asks for before it looks at the
/// file, takes the last of repeated keys and ignores bytes that follow; here all of that is refused.
struct NpyHeader {
  let array: NumpyArray
  /// Where the elements begin.
  let dataOffset: Int

  static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]
  /// The most bytes in front of the elements: magic, version, length and text.
  static let mostBytes = magic.count + 2 + 4 + Budgets.npyHeaderBytes

  /// Parses a header and holds it against the size of the file.
  ///
  /// - Parameters:
  ///   - prefix: the file's first `mostBytes` bytes, or all of it.
  ///   - size: the bytes of the whole file.
  ///   - name: what the array is called.
  /// - Throws: `FormatError` with code `badMagic`, `badNpyHeader`, `badShape`, `unsupportedDtype`,
  ///   `negativeDimension`, `overflow`, `rankLimit`, `truncated`, `sizeMismatch` or `trailingBytes`.
  init(_ prefix: [UInt8], size: Int, name: TensorName) throws {
    var cursor = ByteCursor(prefix)
    guard try cursor.slice(Self.magic.count).elementsEqual(Self.magic) else {
      throw FormatError(.badMagic, offset: 0, expected: "a numpy array")
    }
    let length = try Self.textLength(&cursor)
    let at = cursor.offset
    let fields = try NpyHeaderFields(Array(cursor.slice(length)), base: at)
    dataOffset = cursor.position
    let type = try NumpyDType(fields.description)
    let info = try TensorInfo(name: name, dtype: type.dtype, shape: fields.shape)
    try Self.checkSize(info, size - dataOffset)
    array = NumpyArray(
      info, layout: try StridedLayout(packed: info, isFortran: fields.isFortran),
      isSwapped: type.isSwapped)
  }

  private static func textLength(_ cursor: inout ByteCursor) throws -> Int {
    let version = (try cursor.u8(), try cursor.u8())
    guard (1...3).contains(version.0), version.1 == 0 else {
      throw FormatError(
        .badNpyHeader, offset: magic.count, expected: "version 1.0, 2.0 or 3.0",
        found: "\(version.0).\(version.1)")
    }
    let at = cursor.offset
    let length = version.0 == 1 ? Int(try cursor.u16()) : Int(try cursor.u32())
    guard length <= Budgets.npyHeaderBytes else {
      throw FormatError(
        .badNpyHeader, offset: at, expected: "at most \(Budgets.npyHeaderBytes) bytes of header",
        found: "\(length)")
    }
    return length
  }

  private static func checkSize(_ info: TensorInfo, _ found: Int) throws {
    guard found != info.byteCount else { return }
    throw FormatError(
      found < info.byteCount ? .sizeMismatch : .trailingBytes, subject: info.name.text,
      expected: "\(info.byteCount) bytes of elements", found: "\(found)",
      remedy: found < info.byteCount ? "the file is incomplete: fetch it again" : nil)
  }
}
