/// How a slice is turned between the grid of its file and the model.
public enum Orientation: String, Sendable, CaseIterable {
  /// Rows along y, columns along x, as pictures are stored.
  case image
  /// As MA-SAM's preprocessing has it: on the voxel array [x, y, z] as stored, `rot90(k=1,
  /// axes=(0, 1))` and then a flip of axis 1. Both axes end up reversed.
  case masam

  /// Turns planes [planes, y, x] of the file's grid to the model's, or back: it is its own inverse.
  public func turned<Number>(_ numbers: [Number], plane: Int) -> [Number] {
    guard self == .masam, plane > 0 else { return numbers }
    return stride(from: 0, to: numbers.count, by: plane).flatMap { start in
      numbers[start..<start + plane].reversed()
    }
  }
}
