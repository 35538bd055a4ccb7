import Formats

/// Fits a model to another image size.
///
/// Absolute positions are interpolated bilinearly and the relative positions of global blocks
/// linearly along their length, both with pixel centres at half-integers (`align_corners` false), as
/// MA-SAM and SAMed do when they load SAM. Windows keep their size, so windowed blocks keep theirs.
public struct Resize: Operation {
  /// Pixels a side.
  public var imageSize: Int

  public init(imageSize: Int) { self.imageSize = imageSize }

  public func apply(to blueprint: inout Blueprint) throws {
    let (model, encoder) = try blueprint.encoderArchitecture()
    guard imageSize > 0, imageSize <= 1 << 14, imageSize.isMultiple(of: encoder.patch) else {
      throw SurgeryError(
        .badOption, subject: "image size", expected: "a multiple of the patch, \(encoder.patch)",
        found: "\(imageSize)")
    }
    guard imageSize != encoder.imageSize else { return }
    guard let global = encoder.globalBlocks else {
      throw SurgeryError(
        .badOption, subject: "image size",
        expected: "a model whose global blocks are known",
        found: "a grid as large as the window, \(encoder.grid), and no '"
          + "\(ModelMetadata.Key.globalBlocks.rawValue)' in the metadata")
    }
    let grid = imageSize / encoder.patch
    try Self.resizePositions(&blueprint, grid)
    for block in global {
      for axis in ["h", "w"] {
        try Self.resizeLength(
          &blueprint, ModelNames.relativePositions(block, axis: axis), to: 2 * grid - 1)
      }
    }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.globalBlocks] = global.map(String.init).joined(separator: ",")
    metadata[.imageSize] = "\(imageSize)"
    blueprint.metadata = metadata.entries
    blueprint.notes.append(
      "positions resized from \(model.imageSize ?? encoder.imageSize) to \(imageSize) pixels a side"
    )
  }

  private static func resizePositions(_ blueprint: inout Blueprint, _ grid: Int) throws {
    let old = try blueprint.required(ModelNames.positions)
    let coder = try FloatCoder(checking: old.info)
    let (side, width) = (old.info.shape[1], old.info.shape[3])
    let info = try TensorInfo(
      name: old.info.name, dtype: coder.dtype, shape: [1, grid, grid, width])
    let taps = Interpolation.taps(from: side, to: grid)
    let computation = Computation("resized bilinearly", of: [old]) { info in
      let source = try Matrix(old).values
      return NumberReader(info, piece: grid * width) { range, row in
        let vertical = taps[range.lowerBound / (grid * width)]
        for (column, horizontal) in taps.enumerated() {
          let target = UnsafeMutableBufferPointer(
            rebasing: row[column * width..<(column + 1) * width])
          bilinear(source, side, vertical, horizontal, into: target)
        }
      }
    }
    blueprint.put(Blueprint.Entry(info: info, origin: .computed(computation)))
  }

  private static func resizeLength(
    _ blueprint: inout Blueprint, _ name: TensorName, to length: Int
  ) throws {
    let old = try blueprint.required(name)
    let coder = try FloatCoder(checking: old.info)
    let (rows, width) = (old.info.shape[0], old.info.shape[1])
    guard rows != length else { return }
    let info = try TensorInfo(name: name, dtype: coder.dtype, shape: [length, width])
    let taps = Interpolation.taps(from: rows, to: length)
    let computation = Computation("resized linearly", of: [old]) { info in
      let source = try Matrix(old).values
      return NumberReader(info, piece: width) { range, row in
        let tap = taps[range.lowerBound / width]
        for column in 0..<width {
          row[column] = tap.mix(
            source[tap.lower * width + column], source[tap.upper * width + column])
        }
      }
    }
    blueprint.put(Blueprint.Entry(info: info, origin: .computed(computation)))
  }
}

/// Fills one token's channels from the four around its place.
private func bilinear(
  _ source: [Double], _ side: Int, _ vertical: Interpolation.Tap, _ horizontal: Interpolation.Tap,
  into target: UnsafeMutableBufferPointer<Double>
) {
  let width = target.count
  let corner = { (row: Int, column: Int) in (row * side + column) * width }
  let upper = (
    corner(vertical.lower, horizontal.lower), corner(vertical.lower, horizontal.upper)
  )
  let lower = (
    corner(vertical.upper, horizontal.lower), corner(vertical.upper, horizontal.upper)
  )
  for channel in 0..<width {
    let first = horizontal.mix(source[upper.0 + channel], source[upper.1 + channel])
    let second = horizontal.mix(source[lower.0 + channel], source[lower.1 + channel])
    target[channel] = vertical.mix(first, second)
  }
}

/// Linear interpolation of samples at pixel centres.
enum Interpolation {
  /// The two samples around a place and how near the upper one is.
  struct Tap: Sendable, Equatable {
    var lower: Int
    var upper: Int
    var weight: Double

    func mix(_ first: Double, _ second: Double) -> Double {
      first * (1 - weight) + second * weight
    }
  }

  /// The taps for every new sample, as PyTorch's `interpolate` with `align_corners=False` takes
  /// them: places before the first centre and after the last one take the sample there.
  static func taps(from count: Int, to target: Int) -> [Tap] {
    (0..<target).map { index in
      let scale = Double(count) / Double(target)
      let place = max(0, (Double(index) + 0.5) * scale - 0.5)
      let lower = min(Int(place), count - 1)
      return Tap(lower: lower, upper: min(lower + 1, count - 1), weight: place - Double(lower))
    }
  }
}
