import Formats

/// The names of a case's tensors, which HDF5 keeps as groups.
enum DatasetNames {
  static func images(_ name: String) -> TensorName { TensorName("cases.\(group(name)).images") }
  static func labels(_ name: String) -> TensorName { TensorName("cases.\(group(name)).labels") }

  /// A dot would begin another group, and a slash is no part of a name.
  private static func group(_ name: String) -> String {
    String(name.map { ".:/".contains($0) ? "_" : $0 })
  }

  /// Checks that every case can have tensors of its own.
  ///
  /// - Throws: `DatasetError` with code `badDataset`.
  static func check(_ names: [String], file: String?) throws {
    var seen: Set<TensorName> = []
    for name in names {
      guard !name.isEmpty, !name.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
        throw DatasetError(
          .badDataset, file: file, subject: name, expected: "a case's name of one line")
      }
      guard seen.insert(images(name)).inserted else {
        throw DatasetError(
          .badDataset, file: file, subject: name, expected: "cases of different names",
          remedy: "dots, colons and slashes in names count as '_'")
      }
    }
  }
}
