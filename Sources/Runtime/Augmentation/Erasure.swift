import Support

/// A rectangle of a slice, in pixels.
struct Erasure: Sendable, Equatable {
  var top, left, rows, columns: Int
}

/// The noise begins far behind the numbers that decide what is done.
private let firstBlockOfNoise: UInt64 = 1 << 16

extension AugmentedSample {
  /// Fills the rectangle with uniform noise that all slices share, and labels it background.
  mutating func erase(_ place: Erasure, _ randomness: RandomStream) {
    let count = place.rows * place.columns
    var noise = [Double](repeating: 0, count: (count + 3) / 4 * 4)
    noise.withUnsafeMutableBufferPointer {
      randomness.fillUniform($0, block: firstBlockOfNoise)
    }
    for row in 0..<place.rows {
      let start = (place.top + row) * width + place.left
      let values = noise[row * place.columns..<(row + 1) * place.columns].map(Float.init)
      for plane in 0..<slices * channels {
        let offset = plane * pixels + start
        images.replaceSubrange(offset..<offset + values.count, with: values)
      }
      for slice in 0..<slices {
        for column in 0..<place.columns { labels[slice * pixels + start + column] = 0 }
      }
    }
  }
}
