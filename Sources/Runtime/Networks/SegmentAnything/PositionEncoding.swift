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
    let angles = (0..<half).map {
      2 * Float.pi * (x * frequencies[$0] + y * frequencies[half + $0])
    }
    return angles.map { sin($0) } + angles.map { cos($0) }
  }

  /// The encodings of a grid's cell centres, [grid·grid, width].
  func grid(_ size: Int) -> Tensor {
    let values = (0..<size * size).flatMap { place in
      self(
        x: (Float(place % size) + 0.5) / Float(size), y: (Float(place / size) + 0.5) / Float(size))
    }
    return Tensor(values, shape: [size * size, 2 * half])
  }
}
