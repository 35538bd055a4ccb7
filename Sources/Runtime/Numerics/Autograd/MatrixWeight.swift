import CKernels

/// A weight [out, in] as matrix products take it: a variable, and rounded if they want it so.
public struct MatrixWeight: Sendable {
  public let variable: Variable
  private let rounded: TensorStorage?

  /// - Parameter variable: packed, or with evenly spaced rows.
  public init(_ variable: Variable, precision: Precision = .float32) {
    self.variable = variable
    guard precision == .brainFloat16 else {
      rounded = nil
      return
    }
    let packed = variable.value.packed()
    let storage = StoragePool.shared.storage(byteCount: packed.count * 2)
    wt_to_bfloat16(
      storage.address.assumingMemoryBound(to: UInt16.self), packed.pointer, packed.count)
    withExtendedLifetime(packed) {}
    // From here on the rounded numbers stand for those in the file.
    variable.value.storage.unload()
    rounded = storage
  }

  public var outputs: Int { variable.shape[0] }

  var view: WeightView {
    guard let rounded else { return .float(variable.value.matrix) }
    return .brainFloat(
      rounded.address.assumingMemoryBound(to: UInt16.self), columns: variable.shape[0],
      depth: variable.shape[1])
  }

  /// Adds x's part in the gradient of the weight: gradientᵀ·x.
  func accumulate(_ gradient: MatrixView, _ x: MatrixView) {
    guard let target = variable.gradient else { return }
    let part = Tensor(uninitialised: variable.shape)
    Kernels.weightGradient(gradient, x, into: part.matrix)
    target.accumulate(part)
  }
}
