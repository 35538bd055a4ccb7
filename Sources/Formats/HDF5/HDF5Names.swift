/// The names of tensors as paths of groups, and the order in which a reader finds them.
///
/// A dot in a name begins a group: `a.b.weight` is the dataset `weight` in the group `b` of the
/// group `a`.
public struct HDF5Names: Sendable {
  /// For each tensor, in the order given, its path.
  let paths: [String]
  /// The places in the given list, in the order of the file.
  public let order: [Int]

  /// Checks that every tensor can have its name.
  ///
  /// - Throws: `FormatError` with code `nameLimit` or `duplicateName`.
  public init(_ tensors: [TensorInfo]) throws {
    for tensor in tensors { try Self.check(tensor.name) }
    // Without zero bytes in the names, a zero in a dot's stead sorts them group by group.
    let keys = tensors.map { tensor in
      tensor.name.text.utf8.map { $0 == UInt8(ascii: ".") ? 0 : $0 }
    }
    order = tensors.indices.sorted { keys[$0].lexicographicallyPrecedes(keys[$1]) }
    paths = tensors.map { $0.name.text.split(separator: ".").joined(separator: "/") }
    for (first, second) in zip(order, order.dropFirst()) {
      try Self.checkNeighbours(
        (tensors[first].name, keys[first]), (tensors[second].name, keys[second]))
    }
  }

  private static func check(_ name: TensorName) throws {
    let components = name.text.utf8.split(
      separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard !components.contains(where: \.isEmpty), !name.text.utf8.contains(UInt8(ascii: "/")),
      !name.text.utf8.contains(0), name.text.utf8.count <= Budgets.tensorNameBytes
    else {
      throw FormatError(
        .nameLimit, subject: name, expected: "parts without '/' between single dots",
        remedy: "HDF5 keeps the parts as groups: rename the tensor, or choose another format")
    }
    guard components.count <= Budgets.hdf5Depth else {
      throw FormatError(
        .nameLimit, subject: name, expected: "at most \(Budgets.hdf5Depth) parts",
        found: "\(components.count)")
    }
  }

  /// Of two names in order, the first may not be the second, nor a group of it.
  private static func checkNeighbours(
    _ first: (name: TensorName, key: [UInt8]), _ second: (name: TensorName, key: [UInt8])
  ) throws {
    guard first.key != second.key else { throw FormatError(.duplicateName, subject: first.name) }
    guard second.key.starts(with: first.key + [0]) else { return }
    throw FormatError(
      .nameLimit, subject: first.name, expected: "a name that no other begins with",
      found: "the tensor '\(second.name.text)', which makes it a group",
      remedy: "rename one of the two, or choose another format")
  }
}
