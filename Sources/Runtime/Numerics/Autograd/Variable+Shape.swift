extension Variable {
  /// A variable whose numbers may be changed in place: a copy where nothing is recorded, as
  /// operations that are recorded change nothing.
  public func owned() -> Variable {
    isRecorded ? self : Variable(value.copied(), gradient: gradient, tape: tape)
  }

  /// The same numbers under another shape.
  public func reshaped(_ shape: Int...) -> Variable { reshaped(to: shape) }

  public func reshaped(to shape: [Int]) -> Variable {
    guard shape != self.shape else { return self }
    let (old, gradient) = (self.shape, gradient)
    return result(value.reshaped(to: shape)) { gradient?.accumulate($0.reshaped(to: old)) }
  }

  /// A copy whose axis `i` is this one's axis `axes[i]`.
  public func permuted(_ axes: [Int]) -> Variable {
    let inverse = axes.indices.map { axis in axes.firstIndex(of: axis) ?? 0 }
    let gradient = gradient
    return result(value.permuted(axes)) { gradient?.accumulate($0.permuted(inverse)) }
  }

  /// The entries of the first axis, the last one first.
  public func reversed() -> Variable {
    let gradient = gradient
    return result(value.reversed()) { gradient?.accumulate($0.reversed()) }
  }

  /// A packed copy of a range of one axis.
  public func narrowed(_ axis: Int, _ range: Range<Int>) -> Variable {
    let (shape, gradient) = (shape, gradient)
    return result(value.narrowed(axis, range).copied()) { change in
      let part = Tensor(repeating: 0, shape: shape)
      part.narrowed(axis, range).copy(change)
      gradient?.accumulate(part)
    }
  }

  /// One index of the first axis.
  public subscript(_ index: Int) -> Variable {
    narrowed(0, index..<index + 1).reshaped(to: Array(shape.dropFirst()))
  }

  /// Tensors of the same shape but for one axis, one after the other along it.
  public static func concatenated(_ parts: [Variable], axis: Int) -> Variable {
    let whole = Tensor.concatenated(parts.map(\.value), axis: axis)
    let tape = parts.lazy.compactMap(\.tape).first
    let pieces = parts.map { (gradient: $0.gradient, extent: $0.shape[axis]) }
    return parts[0].on(tape).result(whole, with: parts) { change in
      var start = 0
      for piece in pieces {
        let part = change.narrowed(axis, start..<start + piece.extent)
        // Packed parts share no numbers, so each is its gradient's own.
        piece.gradient?.accumulate(part.isPacked ? part : part.copied())
        start += piece.extent
      }
    }
  }

  /// The same as often as asked along a new first axis.
  public func repeated(_ count: Int) -> Variable {
    let gradient = gradient
    return result(value.repeated(count)) { gradient?.accumulate($0.summed()) }
  }

  /// The sum; `other` is repeated as often as it fits along the first axes.
  public static func + (left: Variable, other: Variable) -> Variable {
    let tape = left.tape ?? other.tape
    let (shape, period) = (other.shape, other.value.count)
    return left.on(tape).result(left.value + other.value, with: [other]) { change in
      if let gradient = other.gradient {
        gradient.accumulate(
          period == change.count
            ? change.copied().reshaped(to: shape)
            : change.reshaped(change.count / max(1, period), period).summed().reshaped(to: shape))
      }
      left.gradient?.accumulate(change)
    }
  }

  /// Every number times a factor.
  public func scaled(by factor: Float) -> Variable {
    guard factor != 1 else { return self }
    let gradient = gradient
    return result(value.scaled(by: factor)) { gradient?.accumulate($0.scaled(by: factor)) }
  }

  /// Some of the rows of a matrix, in any order and as often as wanted; zeros where there is none.
  public func gathered(_ rows: [Int?]) -> Variable {
    let (shape, gradient) = (shape, gradient)
    let output = Tensor(repeating: 0, shape: [rows.count, shape[1]])
    for (target, source) in rows.enumerated() {
      if let source { output[target].copy(value[source]) }
    }
    return result(output) { change in
      let part = Tensor(repeating: 0, shape: shape)
      for (target, source) in rows.enumerated() {
        if let source { part[source].add(change[target]) }
      }
      gradient?.accumulate(part)
    }
  }

  /// Channels-last images at another size, by bilinear interpolation.
  public func resized(height: Int, width: Int) -> Variable {
    let (shape, gradient) = (shape, gradient)
    return result(value.resized(height: height, width: width)) { change in
      let part = Tensor(repeating: 0, shape: shape)
      Kernels.bilinearBackward(
        change.matrix, height: height, width: width, into: part.matrix, oldHeight: shape[1],
        oldWidth: shape[2])
      withExtendedLifetime(change) {}
      gradient?.accumulate(part)
    }
  }

  /// x·yᵀ for each pair of matrices: [n, a, k] and [n, b, k] give [n, a, b].
  public func productWithTransposed(_ other: Variable) -> Variable {
    let (left, right, gradient) = (value, other.value, gradient)
    return result(value.productWithTransposed(other.value), with: [other]) { change in
      if let gradient {
        let part = Tensor(uninitialised: left.shape)
        Kernels.pairProducts(change.matrix, right.matrix, count: left.shape[0], into: part.matrix)
        gradient.accumulate(part)
      }
      if let gradient = other.gradient {
        let part = Tensor(uninitialised: right.shape)
        Kernels.transposedPairProducts(
          change.matrix, left.matrix, count: left.shape[0], into: part.matrix)
        gradient.accumulate(part)
      }
      withExtendedLifetime((change, left, right)) {}
    }
  }
}
