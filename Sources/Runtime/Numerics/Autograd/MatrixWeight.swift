import CKernels

/// A weight [out, in] as matrix products take it.
public struct MatrixWeight: Sendable {
  /// Nil where its numbers were brought into another order, which leaves nothing to differentiate.
  let variable: Variable?
  public let outputs: Int
  private let copy: Copy?

  /// What stands for the variable's numbers.
  private enum Copy: Sendable {
    case rounded(TensorStorage, depth: Int)
    case blocked(BlockedWeight)
  }

  /// What products are to be made of a weight.
  public enum Purpose: Sendable {
    /// Forward passes alone, in which it stays as it is.
    case inference
    case training
  }

  /// - Parameter variable: packed, or with evenly spaced rows.
  public init(
    _ variable: Variable, precision: Precision = .float32, for purpose: Purpose = .training
  ) {
    outputs = variable.shape[0]
    precondition(purpose == .training || variable.gradient == nil)
    if purpose == .inference, let blocked = BlockedWeight(variable.value.matrix, precision) {
      copy = .blocked(blocked)
      self.variable = nil
    } else {
      let isRounded = precision == .brainFloat16
      copy = isRounded ? .rounded(Self.rounded(variable.value), depth: variable.shape[1]) : nil
      self.variable = variable
    }
    // From here on the copy stands for what lies in the file.
    if copy != nil { variable.value.storage.unload() }
  }

  private static func rounded(_ weight: Tensor) -> TensorStorage {
    let packed = weight.packed()
    let storage = StoragePool.shared.storage(byteCount: packed.count * 2)
    wt_to_bfloat16(
      storage.address.assumingMemoryBound(to: UInt16.self), packed.pointer, packed.count)
    withExtendedLifetime(packed) {}
    return storage
  }

  var view: WeightView {
    switch copy {
    case .blocked(let weight): return weight.view
    case .rounded(let storage, let depth):
      return .brainFloat(
        storage.address.assumingMemoryBound(to: UInt16.self), columns: outputs, depth: depth)
    case nil:
      guard let variable else { preconditionFailure("a weight has numbers") }
      return .float(variable.value.matrix)
    }
  }

  var gradient: Gradient? { variable?.gradient }

  /// Adds x's part in the gradient of the weight: gradientᵀ·x.
  func accumulate(_ gradient: MatrixView, _ x: MatrixView) {
    guard let target = self.gradient else { return }
    let part = Tensor(uninitialised: target.shape)
    Kernels.weightGradient(gradient, x, into: part.matrix)
    target.accumulate(part)
  }
}
