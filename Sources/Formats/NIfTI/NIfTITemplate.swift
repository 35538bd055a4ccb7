/// A header and its extensions, from which files of the same geometry are made.
///
/// Whatever need not change stays as it was, byte for byte.
public struct NIfTITemplate: Sendable, Equatable {
  public let header: NIfTIHeader
  /// The extension flag, the extensions and the padding behind them.
  let extensions: [UInt8]

  init(_ header: NIfTIHeader, _ extensions: [UInt8]) {
    self.header = header
    self.extensions = extensions
  }

  /// A plain header of version 1, or 2 if an extent needs it.
  ///
  /// - Parameter shape: three extents or more, of which the first three count.
  public init(shape: [Int], affine: Affine) {
    let isLarge = shape.contains { $0 > Int(Int16.max) }
    var header = NIfTIHeader(isLarge ? .two : .one)
    header.set(.steps, 0, to: 1.0)
    for (axis, step) in affine.steps.enumerated() { header.set(.steps, axis + 1, to: step) }
    // Millimetres.
    header.set(.units, to: 2)
    // Aligned to an anatomy that nobody has named: the scanner's.
    header.set(.matrixCode, to: 1)
    for (row, numbers) in affine.rows.enumerated() {
      for (column, number) in numbers.enumerated() {
        header.set(.matrix, 4 * row + column, to: number)
      }
    }
    for (axis, extent) in shape.prefix(3).enumerated() {
      header.set(.extents, axis + 1, to: extent)
    }
    self.init(header, [0, 0, 0, 0])
  }

  /// The header of a single file that holds other numbers in the same place.
  ///
  /// - Parameter shape: the extents, the first three those of the source.
  func header(_ type: NIfTIDatatype, shape: [Int]) -> NIfTIHeader {
    var header = header
    header.set(.extents, 0, to: shape.count)
    for axis in 1...7 { header.set(.extents, axis, to: axis <= shape.count ? shape[axis - 1] : 1) }
    header.set(.datatype, to: type.rawValue)
    header.set(.bits, to: type.bitWidth)
    header.set(.slope, to: 1.0)
    header.set(.intercept, to: 0.0)
    header.set(.displayMost, to: 0.0)
    header.set(.displayLeast, to: 0.0)
    header.setMagic(isPair: false)
    header.set(.dataOffset, to: header.version.headerBytes + body.count)
    return header
  }

  /// The bytes between header and voxels: those of the source, padded if they came from a file of
  /// their own.
  var body: [UInt8] {
    let flagged = extensions.count < 4 ? [0, 0, 0, 0] : extensions
    let end = header.version.headerBytes + flagged.count
    let isSingle = Int(exactly: header.real(.dataOffset)) == end
    return flagged + [UInt8](repeating: 0, count: isSingle ? 0 : -end & 15)
  }
}
