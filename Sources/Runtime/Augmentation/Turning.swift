#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension AugmentedSample {
  /// Turns anticlockwise by so many right angles, then flips rows (axis 0) or columns (axis 1).
  ///
  /// Source: `numpy.rot90(k, axes=(0, 1))`, then `numpy.flip`.
  mutating func turnAndFlip(quarters: Int, axis: Int) {
    // The turned picture as a walk over the old one: where it starts, a row down, a column right.
    var (start, down, right) = (0, width, 1)
    var (rows, columns) = (height, width)
    for _ in 0..<quarters {
      (start, down, right) = (start + (columns - 1) * right, -right, down)
      (rows, columns) = (columns, rows)
    }
    if axis == 0 {
      (start, down) = (start + (rows - 1) * down, -down)
    } else {
      (start, right) = (start + (columns - 1) * right, -right)
    }
    let map = PixelMap(height: rows, width: columns) { Int32(start + $0 * down + $1 * right) }
    (images, labels) = (map(images), map(labels))
    boxes = boxes?.map {
      $0.turnedAndFlipped(quarters: quarters, axis: axis, height: height, width: width)
    }
    (height, width) = (rows, columns)
  }

  /// Rotates about the centre, to the nearest pixel, with zeros where nothing was.
  ///
  /// Source: `scipy.ndimage.rotate(order=0, reshape=False)`.
  mutating func rotate(degrees: Int) {
    let angle = Double(degrees) * .pi / 180
    let (cosine, sine) = (cos(angle), sin(angle))
    let (lastRow, lastColumn) = (Double(height - 1), Double(width - 1))
    let rowOffset = lastRow / 2 - (cosine * (lastRow / 2) + sine * (lastColumn / 2))
    let columnOffset = lastColumn / 2 - (-sine * (lastRow / 2) + cosine * (lastColumn / 2))
    let width = width
    let map = PixelMap(height: height, width: width) { row, column in
      let y = Double(row) * cosine + Double(column) * sine + rowOffset
      let x = Double(row) * -sine + Double(column) * cosine + columnOffset
      guard y >= 0, y <= lastRow, x >= 0, x <= lastColumn else { return -1 }
      return Int32(Int(y + 0.5) * width + Int(x + 0.5))
    }
    (images, labels) = (map(images), map(labels))
    let centre = (Float(width) / 2, Float(height) / 2)
    boxes = boxes?.map { $0.rotated(Float(cosine), Float(sine), about: centre) }
  }
}

extension AugmentedSample.Box {
  func turnedAndFlipped(quarters: Int, axis: Int, height: Int, width: Int) -> Self {
    var (box, height, width) = (self, Float(height), Float(width))
    for _ in 0..<quarters {
      box = Self(x0: box.y0, y0: width - box.x1, x1: box.y1, y1: width - box.x0)
      (height, width) = (width, height)
    }
    return axis == 0
      ? Self(x0: box.x0, y0: height - box.y1, x1: box.x1, y1: height - box.y0)
      : Self(x0: width - box.x1, y0: box.y0, x1: width - box.x0, y1: box.y1)
  }

  /// The box around the four turned corners, which may reach out of the picture.
  func rotated(_ cosine: Float, _ sine: Float, about centre: (x: Float, y: Float)) -> Self {
    let corners = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map { corner in
      let (x, y) = (corner.0 - centre.x, corner.1 - centre.y)
      return (x: centre.x + x * cosine + y * sine, y: centre.y + y * cosine - x * sine)
    }
    let (xs, ys) = (corners.map(\.x).sorted(), corners.map(\.y).sorted())
    return Self(x0: xs[0], y0: ys[0], x1: xs[3], y1: ys[3])
  }
}
