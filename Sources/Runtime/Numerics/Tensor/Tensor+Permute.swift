import Support

extension Tensor {
  /// A packed copy whose axis `i` is this tensor's axis `axes[i]`.
  public func permuted(_ axes: [Int]) -> Tensor {
    precondition(axes.sorted() == Array(shape.indices))
    let result = Tensor(uninitialised: axes.map { shape[$0] })
    guard count > 0 else { return result }
    Self.copy(
      MatrixView(pointer, rows: 1, columns: 0, stride: 0),
      Self.merged(axes.map { (shape[$0], strides[$0]) }), to: result.flat)
    return withExtendedLifetime(self) { result }
  }

  private typealias Axis = (extent: Int, step: Int)

  /// The same walk over memory in as few axes as it takes, two at least: those of one index go, and
  /// neighbours that follow one another in memory become one.
  private static func merged(_ axes: [Axis]) -> [Axis] {
    var result: [Axis] = []
    for axis in axes where axis.extent != 1 {
      if let last = result.last, last.step == axis.step * axis.extent {
        result[result.count - 1] = (last.extent * axis.extent, axis.step)
      } else {
        result.append(axis)
      }
    }
    return [Axis](repeating: (1, 0), count: max(0, 2 - result.count)) + result
  }

  /// Copies to packed memory; the last two axes are a matrix, so that short rows cost no more than
  /// long ones.
  private static func copy(_ source: MatrixView, _ axes: [Axis], to target: MatrixView) {
    let (outer, pieceSize) = (axes.dropLast(2), 1 << 16)
    let (rows, columns) = (axes[axes.count - 2], axes[axes.count - 1])
    let columnsAtOnce = min(columns.extent, pieceSize)
    let rowsAtOnce = min(rows.extent, pieceSize / columnsAtOnce)
    let across = (columns.extent + columnsAtOnce - 1) / columnsAtOnce
    let down = (rows.extent + rowsAtOnce - 1) / rowsAtOnce
    let matrices = outer.reduce(1) { $0 * $1.extent }
    let grain = max(1, pieceSize / (rowsAtOnce * columnsAtOnce))
    parallelFor(count: matrices * down * across, grain: grain) { index in
      let matrix = index / (down * across)
      let height = Kernels.panel(index / across % down, of: rowsAtOnce, in: rows.extent)
      let width = Kernels.panel(index % across, of: columnsAtOnce, in: columns.extent)
      var (rest, place) = (matrix, height.lowerBound * rows.step + width.lowerBound * columns.step)
      for axis in outer.reversed() {
        place += rest % axis.extent * axis.step
        rest /= axis.extent
      }
      let start = (matrix * rows.extent + height.lowerBound) * columns.extent + width.lowerBound
      for row in 0..<height.count {
        copy(
          source.base + place + row * rows.step, step: columns.step, count: width.count,
          to: target.base + start + row * columns.extent)
      }
    }
  }

  private static func copy(
    _ source: UnsafeMutablePointer<Float>, step: Int, count: Int,
    to target: UnsafeMutablePointer<Float>
  ) {
    if step == 1 {
      target.update(from: source, count: count)
    } else {
      for index in 0..<count { target[index] = source[index * step] }
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
