extension Tensor {
  /// Adds a tensor, repeated as often as it fits, to this one, which nobody else is looking at.
  public func add(_ other: Tensor) {
    let packed = other.packed()
    Kernels.add(packed.flat, to: flat)
    withExtendedLifetime((self, packed)) {}
  }

  /// The sum; `other` is repeated as often as it fits.
  public static func + (left: Tensor, other: Tensor) -> Tensor {
    let result = left.copied()
    result.add(other)
    return result
  }

  /// All numbers as one row.
  var flat: MatrixView {
    precondition(isPacked)
    return MatrixView(pointer, rows: 1, columns: count, stride: count)
  }

  /// The product with a tensor of the same shape, number by number; both are packed.
  public func multiplied(by other: Tensor) -> Tensor {
    precondition(shape == other.shape)
    let result = Tensor(uninitialised: shape)
    Kernels.multiply(flat, other.flat, into: result.flat)
    return withExtendedLifetime((self, other)) { result }
  }

  /// The entries of the first axis, the last one first.
  public func reversed() -> Tensor {
    let packed = packed()
    let result = Tensor(uninitialised: shape)
    let (count, length) = (shape[0], shape.dropFirst().reduce(1, *))
    for index in 0..<count {
      (result.pointer + index * length).update(
        from: packed.pointer + (count - 1 - index) * length, count: length)
    }
    return withExtendedLifetime(packed) { result }
  }

  /// The sums over the first axis.
  public func summed() -> Tensor {
    let result = Tensor(uninitialised: Array(shape.dropFirst()))
    let (count, length) = (shape[0], result.count)
    precondition(isPacked)
    Kernels.columnSums(
      MatrixView(pointer, rows: count, columns: length, stride: length), into: result.pointer)
    return withExtendedLifetime(self) { result }
  }

  /// Tensors of the same shape but for one axis, one after the other along it.
  public static func concatenated(_ tensors: [Tensor], axis: Int) -> Tensor {
    var shape = tensors[0].shape
    shape[axis] = tensors.reduce(0) { $0 + $1.shape[axis] }
    let result = Tensor(uninitialised: shape)
    let outer = shape[..<axis].reduce(1, *)
    let rowLength = shape[axis...].reduce(1, *)
    var start = 0
    for tensor in tensors.map({ $0.packed() }) {
      let length = tensor.shape[axis...].reduce(1, *)
      for row in 0..<outer {
        (result.pointer + row * rowLength + start).update(
          from: tensor.pointer + row * length, count: length)
      }
      withExtendedLifetime(tensor) {}
      start += length
    }
    return result
  }

  /// The tensor as often as asked along a new first axis.
  public func repeated(_ count: Int) -> Tensor {
    let packed = packed()
    let result = Tensor(uninitialised: [count] + shape)
    for index in 0..<count {
      (result.pointer + index * self.count).update(from: packed.pointer, count: self.count)
    }
    return withExtendedLifetime(packed) { result }
  }

  /// Channels-last images at another size, as PyTorch's `interpolate(mode="bilinear")`.
  public func resized(height: Int, width: Int) -> Tensor {
    let result = Tensor(uninitialised: [shape[0], height, width, shape[3]])
    Kernels.bilinear(
      matrix, height: shape[1], width: shape[2], into: result.matrix, newHeight: height,
      newWidth: width)
    return withExtendedLifetime(self) { result }
  }

  /// x·yᵀ for each pair of matrices: [n, a, k] and [n, b, k] give [n, a, b].
  public func productWithTransposed(_ other: Tensor) -> Tensor {
    let result = Tensor(uninitialised: [shape[0], shape[1], other.shape[1]])
    Kernels.products(self.matrix, other.matrix, count: shape[0], into: result.matrix)
    return withExtendedLifetime((self, other)) { result }
  }
}

extension Tensor {
  /// Every number times a factor.
  public func scaled(by factor: Float) -> Tensor {
    Tensor(values.map { $0 * factor }, shape: shape)
  }
}
