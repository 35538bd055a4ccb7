import Support

/// Where the pixels of a slice lie among those of the masks that a model made of it.
///
/// A slice was brought to the model's input with first and last samples coinciding; masks of another
/// resolution than the input cover the same square. Between mask pixels it is linear.
struct GridMap: Sendable {
  private let rows: [Tap]
  private let columns: [Tap]
  private let maskWidth: Int
  private let maskPlane: Int

  private struct Tap: Sendable {
    var first: Int
    var second: Int
    /// Of the second.
    var weight: Float
  }

  /// - Parameters:
  ///   - height, width: of the slice.
  ///   - inputSize: pixels a side of the model's input.
  init(height: Int, width: Int, inputSize: Int, maskHeight: Int, maskWidth: Int) {
    rows = Self.taps(height, inputSize, maskHeight)
    columns = Self.taps(width, inputSize, maskWidth)
    self.maskWidth = maskWidth
    maskPlane = maskHeight * maskWidth
  }

  private static func taps(_ count: Int, _ inputSize: Int, _ maskSize: Int) -> [Tap] {
    (0..<count).map { index in
      // All of the input shows the one sample there is; its middle is as good as any.
      let input =
        count > 1
        ? Double(index) * Double(inputSize - 1) / Double(count - 1) : Double(inputSize - 1) / 2
      let scale = Double(maskSize) / Double(inputSize)
      let place = min(max((input + 0.5) * scale - 0.5, 0), Double(maskSize - 1))
      let first = Int(place)
      return Tap(
        first: first, second: min(first + 1, maskSize - 1), weight: Float(place - Double(first)))
    }
  }

  /// The most probable class of every pixel, and if asked for the probabilities.
  ///
  /// - Parameter masks: [classes, mask height, mask width].
  /// - Returns: labels [height, width] and probabilities [classes, height, width].
  func resolve(
    _ masks: SharedFloats, classes: Int, keepsProbabilities: Bool
  ) -> (labels: [UInt8], probabilities: [Float]) {
    let (width, plane) = (columns.count, rows.count * columns.count)
    var probabilities = [Float](repeating: 0, count: keepsProbabilities ? classes * plane : 0)
    var labels = [UInt8](repeating: 0, count: plane)
    probabilities.withUnsafeMutableBufferPointer { probabilities in
      labels.withUnsafeMutableBufferPointer { labels in
        nonisolated(unsafe) let (probabilities, labels) = (probabilities, labels)
        parallelFor(count: rows.count) { y in
          for x in 0..<width {
            var (best, label) = (-Float.infinity, 0)
            for index in 0..<classes {
              let value = sample(masks.base + index * maskPlane, rows[y], columns[x])
              if value > best { (best, label) = (value, index) }
              if keepsProbabilities { probabilities[index * plane + y * width + x] = value }
            }
            labels[y * width + x] = UInt8(label)
          }
        }
      }
    }
    return (labels, probabilities)
  }

  private func sample(_ plane: UnsafeMutablePointer<Float>, _ row: Tap, _ column: Tap) -> Float {
    let (upper, lower) = (plane + row.first * maskWidth, plane + row.second * maskWidth)
    let top = upper[column.first] * (1 - column.weight) + upper[column.second] * column.weight
    let bottom = lower[column.first] * (1 - column.weight) + lower[column.second] * column.weight
    return top * (1 - row.weight) + bottom * row.weight
  }
}
