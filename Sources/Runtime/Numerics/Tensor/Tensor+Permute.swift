import Support

extension Tensor {
  /// A packed copy whose axis `i` is this tensor's axis `axes[i]`.
  public func permuted(_ axes: [Int]) -> Tensor {
    precondition(axes.sorted() == Array(shape.indices))
    let result = Tensor(uninitialised: axes.map { shape[$0] })
    guard count > 0, let inner = axes.last else {
      if axes.isEmpty { result.pointer.pointee = pointer.pointee }
      return result
    }
    let outer = Array(axes.dropLast())
    let (length, step) = (shape[inner], strides[inner])
    let rows = MatrixView(result.pointer, rows: count / length, columns: length, stride: length)
    let source = MatrixView(pointer, rows: 1, columns: 0, stride: 0)
    let extents = outer.map { shape[$0] }
    let steps = outer.map { strides[$0] }
    parallelFor(count: rows.rows, grain: max(1, (1 << 16) / length)) { row in
      var (rest, place) = (row, 0)
      for axis in extents.indices.reversed() {
        place += rest % extents[axis] * steps[axis]
        rest /= extents[axis]
      }
      let (from, to) = (source.base + place, rows.row(row))
      if step == 1 {
        to.update(from: from, count: length)
      } else {
        for index in 0..<length { to[index] = from[index * step] }
      }
    }
    return withExtendedLifetime(self) { result }
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
