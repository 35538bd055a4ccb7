import Foundation
import Numerics

/// Random spatial frequencies that encode a place in an image.
///
/// Source: Tancik et al., "Fourier features" (2020); segment_anything/modeling/prompt_encoder.py
struct PositionEncoding: Sendable {
  /// Of shape [2, width/2].
  private let frequencies: [Float]
  private let half: Int

  init(_ parameters: Parameters, width: Int) throws {
    half = width / 2
    frequencies =
      try parameters.tensor("positional_encoding_gaussian_matrix", [2, half]).values
  }

  /// The encoding of a place whose coordinates run from 0 to 1: sines, then cosines.
  func callAsFunction(x: Float, y: Float) -> [Float] {
    let (x, y) = (2 * x - 1, 2 * y - 1)
    let angles = (0..<half).map { (index: Int) -> Float in
      2 * Float.pi * (x * frequencies[index] + y * frequencies[half + index])
    }
    return angles.map { sin($0) } + angles.map { cos($0) }
  }

  /// The encodings of a grid's cell centres, [grid·grid, width].
  func grid(_ size: Int) -> Tensor {
    let result = Tensor(uninitialised: [size * size, 2 * half])
    let rows = result.matrix
    let centre = { (index: Int) in (Float(index) + 0.5) / Float(size) }
    for place in 0..<size * size {
      let encoding = self(x: centre(place % size), y: centre(place / size))
      rows.row(place).update(from: encoding, count: encoding.count)
    }
    return result
  }
}
