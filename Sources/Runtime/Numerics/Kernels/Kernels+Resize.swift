import Support

extension Kernels {
  /// Bilinear interpolation of channels-last images, pixel centres aligned, as PyTorch's
  /// `interpolate(align_corners=False)`.
  ///
  /// - Parameters:
  ///   - input: [images·height·width, channels]; output: [images·newHeight·newWidth, channels].
  public static func bilinear(
    _ input: MatrixView, height: Int, width: Int, into output: MatrixView, newHeight: Int,
    newWidth: Int
  ) {
    let channels = input.columns
    let (rows, columns) = (taps(height, newHeight), taps(width, newWidth))
    parallelFor(count: newWidth > 0 ? output.rows / newWidth : 0) { index in
      let (image, y) = (index / newHeight, index % newHeight)
      let top = input.base + (image * height + rows[y].first) * width * input.stride
      let bottom = input.base + (image * height + rows[y].second) * width * input.stride
      let weight = rows[y].weight
      for (x, tap) in columns.enumerated() {
        let (left, right) = (tap.first * input.stride, tap.second * input.stride)
        let target = output.row(index * newWidth + x)
        for channel in 0..<channels {
          let upper = top[left + channel] * (1 - tap.weight) + top[right + channel] * tap.weight
          let lower =
            bottom[left + channel] * (1 - tap.weight) + bottom[right + channel] * tap.weight
          target[channel] = upper * (1 - weight) + lower * weight
        }
      }
    }
  }

  /// The adjoint of `bilinear`: adds to each pixel what it gave; every image is one thread's.
  static func bilinearBackward(
    _ gradient: MatrixView, height: Int, width: Int, into output: MatrixView, oldHeight: Int,
    oldWidth: Int
  ) {
    let channels = gradient.columns
    let (rows, columns) = (taps(oldHeight, height), taps(oldWidth, width))
    parallelFor(count: gradient.rows / max(1, height * width)) { image in
      let target = output.rows(image * oldHeight * oldWidth..<(image + 1) * oldHeight * oldWidth)
      for (y, row) in rows.enumerated() {
        for (x, column) in columns.enumerated() {
          let source = gradient.row((image * height + y) * width + x)
          for (oldY, up) in [(row.first, 1 - row.weight), (row.second, row.weight)] {
            for (oldX, across) in [
              (column.first, 1 - column.weight), (column.second, column.weight),
            ] {
              let (place, weight) = (target.row(oldY * oldWidth + oldX), up * across)
              for channel in 0..<channels { place[channel] += source[channel] * weight }
            }
          }
        }
      }
    }
  }

  private struct Tap: Sendable {
    var first: Int
    var second: Int
    /// Of the second.
    var weight: Float
  }

  private static func taps(_ count: Int, _ newCount: Int) -> [Tap] {
    let ratio = Float(count) / Float(newCount)
    return (0..<newCount).map { place in
      let source = max(0, (Float(place) + 0.5) * ratio - 0.5)
      let first = min(Int(source), count - 1)
      return Tap(
        first: first, second: min(first + 1, count - 1), weight: min(1, source - Float(first)))
    }
  }
}
