import CKernels

/// What numbers a model calculates with where it multiplies matrices.
public enum Precision: String, Sendable, CaseIterable {
  case float32 = "f32"
  /// Inputs and weights of matrix products rounded to bfloat16; sums and all else stay float.
  case brainFloat16 = "bf16"
}

/// y = x·Wᵀ + b, PyTorch's `nn.Linear`.
public struct Linear: Sendable {
  /// Of shape [out, in].
  public let weight: Tensor
  /// Of shape [out].
  public let bias: Tensor?
  /// The weight rounded to bfloat16, when products are calculated with that.
  private let rounded: TensorStorage?

  public init(weight: Tensor, bias: Tensor?, precision: Precision = .float32) {
    self.weight = weight
    self.bias = bias
    guard precision == .brainFloat16 else {
      rounded = nil
      return
    }
    let storage = StoragePool.shared.storage(byteCount: weight.count * 2)
    let packed = weight.packed()
    wt_to_bfloat16(
      storage.address.assumingMemoryBound(to: UInt16.self), packed.pointer, packed.count)
    withExtendedLifetime(packed) {}
    rounded = storage
  }

  /// Reads `weight` and `bias`.
  ///
  /// - Parameter shape: of the weight, when it is not [out, in], such as a 1 × 1 convolution's.
  public init(
    _ parameters: Parameters, _ input: Int, _ output: Int, hasBias: Bool = true,
    shape: [Int]? = nil, precision: Precision = .float32
  ) throws {
    let weight = try parameters.tensor("weight", shape ?? [output, input])
    self.init(
      weight: weight.reshaped(output, input),
      bias: hasBias ? try parameters.tensor("bias", [output]) : nil, precision: precision)
  }

  var view: WeightView {
    guard let rounded else { return .float(weight.matrix) }
    return .brainFloat(
      rounded.address.assumingMemoryBound(to: UInt16.self), columns: weight.shape[0],
      depth: weight.shape[1])
  }

  /// - Parameter x: [..., in]; the result is [..., out].
  public func callAsFunction(_ x: Tensor, activation: Activation = .none) -> Tensor {
    let result = Tensor(uninitialised: x.shape.dropLast() + [weight.shape[0]])
    run(x, into: result, accumulates: false, activation: activation)
    return result
  }

  /// The same added to what `result` holds, which nobody else may be looking at.
  public func add(_ x: Tensor, to result: Tensor) {
    run(x, into: result, accumulates: true, activation: .none)
  }

  private func run(_ x: Tensor, into result: Tensor, accumulates: Bool, activation: Activation) {
    Kernels.linear(
      x.matrix, view, bias: bias.map { UnsafePointer($0.pointer) }, into: result.matrix,
      accumulates: accumulates, activation: activation)
    withExtendedLifetime((self, x, result)) {}
  }
}
