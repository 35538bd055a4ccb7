/// Label maps at the resolution that a decoder gives.
public enum LabelMaps {
  /// Takes for every pixel the label that lies nearest, as PyTorch's `interpolate(mode="nearest")`.
  ///
  /// - Parameters:
  ///   - labels: [images, height, width].
  ///   - size, newSize: height and width, then and now.
  public static func resized<Label>(
    _ labels: [Label], from size: (height: Int, width: Int), to newSize: (height: Int, width: Int)
  ) -> [Label] {
    guard size != newSize else { return labels }
    precondition(size.height > 0 && size.width > 0)
    let plane = size.height * size.width
    precondition(labels.count % plane == 0)
    let rows = sources(size.height, newSize.height).map { $0 * size.width }
    let columns = sources(size.width, newSize.width)
    var result: [Label] = []
    result.reserveCapacity(labels.count / plane * newSize.height * newSize.width)
    for start in stride(from: 0, to: labels.count, by: plane) {
      for row in rows {
        for column in columns { result.append(labels[start + row + column]) }
      }
    }
    return result
  }

  /// For each new place the old one: its own times the ratio in single precision, rounded down.
  private static func sources(_ old: Int, _ new: Int) -> [Int] {
    let scale = Float(old) / Float(new)
    return (0..<new).map { min(Int(Float($0) * scale), old - 1) }
  }
}
