/// An array of 32-bit floats of any rank, in memory that it shares with its views.
///
/// The last axis is contiguous; others may have any stride, so that a range of any axis is a view.
/// Images and tokens are stored with their channels last.
public struct Tensor: @unchecked Sendable {
  // Sendable, as operations write only to tensors that they have just made.
  public let storage: TensorStorage
  public let shape: [Int]
  /// Numbers from one index of an axis to the next.
  public let strides: [Int]
  let offset: Int

  /// A new tensor whose numbers are whatever the memory held.
  ///
  /// - Parameter shape: extents, outermost first.
  public init(uninitialised shape: [Int], pool: StoragePool = .shared) {
    let count = shape.reduce(1, *)
    precondition(shape.allSatisfy { $0 >= 0 })
    storage = pool.storage(byteCount: count * MemoryLayout<Float>.stride)
    self.shape = shape
    strides = Self.packedStrides(shape)
    offset = 0
  }

  init(_ storage: TensorStorage, offset: Int, shape: [Int], strides: [Int]) {
    self.storage = storage
    self.offset = offset
    self.shape = shape
    self.strides = strides
  }

  /// A tensor of the same number everywhere.
  public init(repeating value: Float, shape: [Int]) {
    self.init(uninitialised: shape)
    pointer.initialize(repeating: value, count: count)
  }

  /// A tensor of given numbers in C order.
  public init(_ values: [Float], shape: [Int]) {
    precondition(values.count == shape.reduce(1, *))
    self.init(uninitialised: shape)
    values.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      pointer.initialize(from: base, count: source.count)
    }
  }

  public var count: Int { shape.reduce(1, *) }

  /// The first number; valid while the tensor is.
  public var pointer: UnsafeMutablePointer<Float> {
    storage.address.assumingMemoryBound(to: Float.self) + offset
  }

  public var isPacked: Bool { strides == Self.packedStrides(shape) }

  static func packedStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * max(1, shape[axis + 1])
    }
    return strides
  }

  /// The same numbers under another shape of the same count; the tensor must be packed.
  public func reshaped(_ shape: Int...) -> Tensor { reshaped(to: shape) }

  public func reshaped(to shape: [Int]) -> Tensor {
    precondition(isPacked && shape.reduce(1, *) == count, "\(self.shape) is no \(shape)")
    return Tensor(storage, offset: offset, shape: shape, strides: Self.packedStrides(shape))
  }

  /// Gives the memory of a tensor that lies in a file, and is not written to, back until it is used again.
  public func unload() { storage.unload() }

  /// A range of one axis, without copying.
  public func narrowed(_ axis: Int, _ range: Range<Int>) -> Tensor {
    precondition(range.lowerBound >= 0 && range.upperBound <= shape[axis])
    var shape = shape
    shape[axis] = range.count
    return Tensor(
      storage, offset: offset + range.lowerBound * strides[axis], shape: shape, strides: strides)
  }

  /// One index of the first axis, without copying.
  public subscript(_ index: Int) -> Tensor {
    let view = narrowed(0, index..<index + 1)
    return Tensor(
      storage, offset: view.offset, shape: Array(shape.dropFirst()),
      strides: Array(strides.dropFirst()))
  }

  /// All axes but the last as rows; their strides must be those of one axis.
  public var matrix: MatrixView {
    let columns = shape.last ?? 1
    let rows = shape.dropLast().reduce(1, *)
    let stride = shape.count > 1 ? strides[shape.count - 2] : columns
    for axis in shape.indices.dropLast(2) {
      precondition(
        shape[axis] <= 1 || strides[axis] == strides[axis + 1] * shape[axis + 1],
        "rows of \(shape) with strides \(strides) are not evenly spaced")
    }
    return MatrixView(pointer, rows: rows, columns: columns, stride: max(stride, columns))
  }

  /// The numbers in C order.
  public var values: [Float] {
    let packed = packed()
    return withExtendedLifetime(packed) {
      Array(UnsafeBufferPointer(start: packed.pointer, count: count))
    }
  }

  /// A tensor of the same numbers that has its memory to itself.
  public func copied() -> Tensor { permuted(Array(shape.indices)) }

  /// The tensor itself if it is packed, else a copy that is.
  public func packed() -> Tensor { isPacked ? self : copied() }
}
