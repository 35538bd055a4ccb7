import Formats

/// Plans new layers with PyTorch's default initialisation, each tensor from its own random stream.
///
/// Trainable tensors are 32-bit floats whatever the base's type.
struct Initialiser {
  var seed: UInt64

  typealias Entry = Blueprint.Entry

  func tensor(_ name: TensorName, _ shape: [Int], _ values: Initialisation) throws -> Entry {
    Entry(
      info: try TensorInfo(name: name, dtype: .float32, shape: shape), origin: .initialised(values))
  }

  func zeros(_ name: TensorName, _ shape: [Int]) throws -> Entry {
    try tensor(name, shape, .zero)
  }

  /// A weight, or the bias beside it, uniform within ±1/√fanIn.
  func uniform(_ name: TensorName, _ shape: [Int], fanIn: Int) throws -> Entry {
    try tensor(name, shape, .fanIn(fanIn, seed: seed, name))
  }

  func linear(_ layer: String, outputs: Int, inputs: Int) throws -> [Entry] {
    [
      try uniform(TensorName(layer + ".weight"), [outputs, inputs], fanIn: inputs),
      try uniform(TensorName(layer + ".bias"), [outputs], fanIn: inputs),
    ]
  }

  /// A convolution [outputs, inputs, kernel…].
  func convolution(
    _ layer: String, outputs: Int, inputs: Int, kernel: [Int], hasBias: Bool = true
  ) throws -> [Entry] {
    let fanIn = kernel.reduce(inputs, *)
    let weight = try uniform(
      TensorName(layer + ".weight"), [outputs, inputs] + kernel, fanIn: fanIn)
    return hasBias
      ? [weight, try uniform(TensorName(layer + ".bias"), [outputs], fanIn: fanIn)] : [weight]
  }

  /// A transposed convolution [inputs, outputs, 2, 2], whose fan-in PyTorch counts over the second
  /// extent.
  func upscaling(_ layer: String, inputs: Int, outputs: Int) throws -> [Entry] {
    [
      try uniform(TensorName(layer + ".weight"), [inputs, outputs, 2, 2], fanIn: outputs * 4),
      try uniform(TensorName(layer + ".bias"), [outputs], fanIn: outputs * 4),
    ]
  }

  func norm(_ layer: String, width: Int) throws -> [Entry] {
    [
      try tensor(TensorName(layer + ".weight"), [width], .one),
      try zeros(TensorName(layer + ".bias"), [width]),
    ]
  }
}
