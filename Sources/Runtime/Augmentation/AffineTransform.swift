/// Where each pixel of a result lies in its source: (x, y) becomes (a·x + b·y + c, …), from corners.
///
/// Both samplings give the very bytes that Pillow gives. Source: `Image.transform` with `AFFINE`,
/// Pillow's `src/libImaging/Geometry.c`.
struct AffineTransform {
  var x: (Double, Double, Double)
  var y: (Double, Double, Double)

  /// Linear interpolation; the fraction of the result is cut off, what lies outside is zero.
  func interpolate(
    _ source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>,
    height: Int, width: Int
  ) {
    for row in 0..<height {
      for column in 0..<width {
        let (centreX, centreY) = (Double(column) + 0.5, Double(row) + 0.5)
        let sourceX = x.0 * centreX + x.1 * centreY + x.2
        let sourceY = y.0 * centreX + y.1 * centreY + y.2
        let isInside =
          sourceX >= 0 && sourceX < Double(width) && sourceY >= 0 && sourceY < Double(height)
        target[row * width + column] =
          isInside
          ? Self.value(source, sourceX - 0.5, sourceY - 0.5, height: height, width: width) : 0
      }
    }
  }

  @inline(__always)
  private static func value(
    _ source: UnsafeBufferPointer<UInt8>, _ x: Double, _ y: Double, height: Int, width: Int
  ) -> UInt8 {
    // From −0.5 on; adding one before the cut makes it a floor.
    let (column, row) = (Int(x + 1) - 1, Int(y + 1) - 1)
    let (dx, dy) = (x - Double(column), y - Double(row))
    let (left, right) = (max(column, 0), min(column + 1, width - 1))
    let upper = max(row, 0) * width
    let lower = row + 1 < height ? (row + 1) * width : upper
    let a = mixed(source[upper + left], source[upper + right], dx)
    let b = mixed(source[lower + left], source[lower + right], dx)
    return UInt8(a + (b - a) * dy)
  }

  @inline(__always)
  private static func mixed(_ a: UInt8, _ b: UInt8, _ part: Double) -> Double {
    Double(a) + Double(Int(b) - Int(a)) * part
  }

  /// The nearest pixels: in steps of doubles without a shear, of 65536ths with one, as Pillow's are.
  func nearest(height: Int, width: Int) -> PixelMap {
    if x.1 == 0, y.0 == 0 {
      let columns = Self.places(first: x.2 + x.0 * 0.5, step: x.0, count: width)
      let rows = Self.places(first: y.2 + y.1 * 0.5, step: y.1, count: height)
      return PixelMap(height: height, width: width) { row, column in
        let (sourceRow, sourceColumn) = (rows[row], columns[column])
        guard sourceRow >= 0, sourceColumn >= 0 else { return -1 }
        return Int32(sourceRow * width + sourceColumn)
      }
    }
    let xs = (Self.fixed(x.0), Self.fixed(x.1), Self.fixed(x.2 + x.0 * 0.5 + x.1 * 0.5))
    let ys = (Self.fixed(y.0), Self.fixed(y.1), Self.fixed(y.2 + y.0 * 0.5 + y.1 * 0.5))
    return PixelMap(height: height, width: width) { row, column in
      let sourceColumn = (xs.2 + row * xs.1 + column * xs.0) >> 16
      let sourceRow = (ys.2 + row * ys.1 + column * ys.0) >> 16
      guard 0..<height ~= sourceRow, 0..<width ~= sourceColumn else { return -1 }
      return Int32(sourceRow * width + sourceColumn)
    }
  }

  /// The pixel under each of `count` points, −1 outside; the steps are added up, as Pillow does.
  private static func places(first: Double, step: Double, count: Int) -> [Int] {
    var position = first
    return (0..<count).map { _ in
      defer { position += step }
      return position >= 0 && position < Double(count) ? Int(position) : -1
    }
  }

  private static func fixed(_ value: Double) -> Int { Int((value * 65536 + 0.5).rounded(.down)) }
}
