/// How large a slice may be.
///
/// More would be no image of a scanner or an endoscope, and a file of a megabyte can claim one that
/// takes many gigabytes to work on.
enum PlaneLimit {
  /// Pixels a side.
  static let most = 8192

  /// - Throws: `DatasetError` with code `faultySource`.
  static func check(width: Int, height: Int, _ path: String) throws {
    guard max(width, height) <= most else {
      throw DatasetError(
        .faultySource, file: path, expected: "slices of at most \(most) × \(most) pixels",
        found: "\(width) × \(height)")
    }
  }
}
