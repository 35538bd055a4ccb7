import Support

extension Tensor {
  /// A packed copy whose axis `i` is this tensor's axis `axes[i]`.
  public func permuted(_ axes: [Int]) -> Tensor {
    precondition(axes.sorted() == Array(shape.indices))
    let result = Tensor(uninitialised: axes.map { shape[$0] })
    guard count > 0, axes.count > 1 else {
      if count > 0 { result.copy(packed()) }
      return result
    }
    // The last two axes are a matrix, so that short rows cost no more than long ones.
    let (extents, steps) = (axes.map { shape[$0] }, axes.map { strides[$0] })
    let outer = axes.count - 2
    let (height, width) = (extents[outer], extents[outer + 1])
    let rowsAtOnce = min(height, max(1, (1 << 16) / width))
    let parts = (height + rowsAtOnce - 1) / rowsAtOnce
    let (target, source) = (result.flat, MatrixView(pointer, rows: 1, columns: 0, stride: 0))
    let grain = max(1, (1 << 16) / (rowsAtOnce * width))
    parallelFor(count: count / (height * width) * parts, grain: grain) { index in
      let (matrix, rows) = (index / parts, Kernels.panel(index % parts, of: rowsAtOnce, in: height))
      var (rest, place) = (matrix, rows.lowerBound * steps[outer])
      for axis in (0..<outer).reversed() {
        place += rest % extents[axis] * steps[axis]
        rest /= extents[axis]
      }
      Self.copy(
        source.base + place, steps: (steps[outer], steps[outer + 1]),
        extents: (rows.count, width),
        to: target.base + (matrix * height + rows.lowerBound) * width)
    }
    return withExtendedLifetime(self) { result }
  }

  private static func copy(
    _ source: UnsafeMutablePointer<Float>, steps: (row: Int, column: Int),
    extents: (rows: Int, columns: Int), to target: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<extents.rows {
      let (from, to) = (source + row * steps.row, target + row * extents.columns)
      if steps.column == 1 {
        to.update(from: from, count: extents.columns)
      } else {
        for column in 0..<extents.columns { to[column] = from[column * steps.column] }
      }
    }
  }

  /// Takes over the numbers of a packed tensor of the same count; this one may be a view.
  public func copy(_ other: Tensor) {
    precondition(other.isPacked && other.count == count)
    guard count > 0 else { return }
    // The innermost axes that lie together are copied at once.
    var (length, axis) = (1, shape.count)
    while axis > 0, strides[axis - 1] == length {
      axis -= 1
      length *= shape[axis]
    }
    for row in 0..<count / length {
      var (rest, place) = (row, 0)
      for outer in (0..<axis).reversed() {
        place += rest % shape[outer] * strides[outer]
        rest /= shape[outer]
      }
      (pointer + place).update(from: other.pointer + row * length, count: length)
    }
    withExtendedLifetime((self, other)) {}
  }

  /// [N, C, H, W] from what is stored as [N, H, W, C].
  public func channelsFirst() -> Tensor { permuted([0, 3, 1, 2]) }

  /// What is stored as [N, H, W, C] from [N, C, H, W].
  public func channelsLast() -> Tensor { permuted([0, 2, 3, 1]) }
}
