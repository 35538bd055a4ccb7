import Numerics
import Support

/// What is done with all gradients before a step.
public enum Gradients {
  /// The Euclidean norm of all gradients together.
  ///
  /// Squares are added in double precision and in a fixed order, so that no number of threads
  /// changes a bit of it. It is not finite exactly if one of the numbers is not.
  public static func norm(_ tensors: [TrainedTensor]) -> Double {
    let gradients = tensors.compactMap(\.gradient)
    let pieces = TensorPieces(gradients.map(\.count))
    return pieces.sum { piece in
      let numbers = gradients[piece.tensor].pointer
      var sum = 0.0
      for place in piece.range { sum += Double(numbers[place]) * Double(numbers[place]) }
      return sum
    }.squareRoot()
  }

  /// Multiplies all gradients so that their norm is at most `limit`.
  ///
  /// Source: `torch.nn.utils.clip_grad_norm_`.
  public static func clip(_ tensors: [TrainedTensor], norm: Double, to limit: Double) {
    let factor = limit / (norm + 1e-6)
    if factor < 1 { scale(tensors, by: Float(factor)) }
  }

  /// Multiplies all gradients by a factor.
  public static func scale(_ tensors: [TrainedTensor], by factor: Float) {
    let gradients = tensors.compactMap(\.gradient)
    TensorPieces(gradients.map(\.count)).forEach { piece in
      let numbers = gradients[piece.tensor].pointer
      for place in piece.range { numbers[place] *= factor }
    }
  }

  /// Checks that every gradient is finite.
  ///
  /// - Parameter step: named in the error.
  /// - Throws: `TrainingError` with code `notFinite`, naming the first bad tensor.
  public static func checkFinite(_ tensors: [TrainedTensor], step: Int) throws {
    try check(tensors.lazy.compactMap { item in item.gradient.map { (item.name, $0) } }) {
      "\($0) in the gradient of step \(step)"
    }
  }

  /// Checks that every parameter is finite.
  ///
  /// - Throws: `TrainingError` with code `notFinite`, naming the first bad tensor.
  public static func checkFiniteValues(_ tensors: [TrainedTensor], step: Int) throws {
    try check(tensors.lazy.map { ($0.name, $0.value) }) { "\($0) after step \(step)" }
  }

  private static func check(
    _ tensors: some Sequence<(String, Tensor)>, _ finding: (String) -> String
  ) throws {
    for (name, tensor) in tensors {
      let numbers = UnsafeBufferPointer(start: tensor.pointer, count: tensor.count)
      guard let place = numbers.firstIndex(where: { !$0.isFinite }) else { continue }
      throw TrainingError(
        .notFinite, subject: name, expected: "finite numbers",
        found: finding("\(numbers[place]) at element \(place)"),
        remedy: "lower --lr, or bound the gradients with --clip-norm")
    }
  }
}
