/// For every pixel of a picture the one of another that it takes its value from.
struct PixelMap {
  /// Places in the source, −1 where nothing is taken and the value is zero.
  private let sources: [Int32]

  /// - Parameter source: gives the place in the source for each place of the result.
  init(height: Int, width: Int, source: (_ row: Int, _ column: Int) -> Int32) {
    sources = [Int32](unsafeUninitializedCapacity: height * width) { target, count in
      for row in 0..<height {
        for column in 0..<width { target[row * width + column] = source(row, column) }
      }
      count = height * width
    }
  }

  /// Takes every plane of a stack through the map.
  func callAsFunction<Element: Numeric>(_ planes: [Element]) -> [Element] {
    let pixels = sources.count
    return [Element](unsafeUninitializedCapacity: planes.count) { target, count in
      planes.withUnsafeBufferPointer { planes in
        for start in stride(from: 0, to: planes.count, by: max(1, pixels)) {
          for (place, source) in sources.enumerated() {
            target[start + place] = source < 0 ? 0 : planes[start + Int(source)]
          }
        }
      }
      count = planes.count
    }
  }
}
