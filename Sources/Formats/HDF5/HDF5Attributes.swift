import CHDF5

/// Reads the text that is attached to a file's objects.
///
/// Fixed-length text comes from the library. Of variable-length text the library gives only the
/// descriptor: before version 1.12 it copies a heap object's bytes into a buffer of the
/// descriptor's size, though the file may give the two different sizes.
struct HDF5Attributes {
  private let heap: HDF5GlobalHeap

  /// The attribute with which `wt` tells what a dataset's bits mean where HDF5 has no type.
  static let dtypeName = "wt.dtype"

  init(_ input: HDF5Input) { heap = HDF5GlobalHeap(input) }

  /// The dtype that a dataset's attribute names, for elements stored as unsigned integers.
  ///
  /// - Throws: `FormatError` with code `unsupportedDtype` when it does not fit the elements.
  func storedDType(of dataset: hid_t, as stored: DType) throws -> DType? {
    let exists = H5Aexists(dataset, Self.dtypeName)
    guard try HDF5Library.check(exists, "look for an attribute") > 0 else { return nil }
    guard let name = try text(of: dataset, named: Self.dtypeName) else { return nil }
    guard let dtype = DType(rawValue: name), HDF5ElementType.rawBits(of: dtype) == stored else {
      throw FormatError(
        .unsupportedDtype, expected: "a '\(Self.dtypeName)' that \(stored.rawValue) can stand for",
        found: name)
    }
    return dtype
  }

  /// The root group's text, by name, and how many attributes are something else.
  func metadata(_ file: hid_t) throws -> (text: CheckpointMetadata, others: Int) {
    let root = try HDF5Library.check(H5Gopen2(file, "/", wt_H5P_DEFAULT), "open the root group")
    defer { HDF5Library.close(root) }
    var (entries, others, bytes) = ([CheckpointMetadata.Entry](), 0, 0)
    for name in try HDF5AttributeNames(root).sorted() {
      guard let key = String(validating: name, as: UTF8.self), !key.utf8.contains(0),
        let value = try text(of: root, named: key)
      else {
        others += 1
        continue
      }
      bytes += key.utf8.count + value.utf8.count
      guard bytes <= Budgets.hdf5AttributeBytes else { throw tooLong(key) }
      entries.append(CheckpointMetadata.Entry(key: key, value: value))
    }
    return (CheckpointMetadata(entries), others)
  }

  private func tooLong(_ name: String) -> FormatError {
    FormatError(
      .sizeLimit, subject: name,
      expected: "at most \(Budgets.hdf5AttributeBytes) bytes of attributes")
  }

  /// One attribute's text, or nil if it is anything but one valid text.
  private func text(of object: hid_t, named name: String) throws -> String? {
    let attribute = try HDF5Library.check(
      H5Aopen(object, name, wt_H5P_DEFAULT), "open an attribute")
    defer { HDF5Library.close(attribute) }
    let space = try HDF5Library.check(H5Aget_space(attribute), "read an attribute")
    defer { HDF5Library.close(space) }
    let type = try HDF5Library.check(H5Aget_type(attribute), "read an attribute")
    defer { HDF5Library.close(type) }
    guard H5Sget_simple_extent_type(space) == H5S_SCALAR, H5Tget_class(type) == H5T_STRING else {
      return nil
    }
    let bytes =
      try HDF5Library.check(H5Tis_variable_str(type), "read an attribute") > 0
      ? try heap.bytes(of: attribute) : try fixed(attribute, type, name)
    return String(validating: bytes, as: UTF8.self)
  }

  private func fixed(_ attribute: hid_t, _ type: hid_t, _ name: String) throws -> [UInt8] {
    let size = H5Tget_size(type)
    guard (1...Budgets.hdf5AttributeBytes).contains(size) else { throw tooLong(name) }
    var bytes = [UInt8](repeating: 0, count: size)
    try HDF5Library.check(H5Aread(attribute, type, &bytes), "read an attribute")
    switch H5Tget_strpad(type) {
    case H5T_STR_NULLTERM: return Array(bytes.prefix { $0 != 0 })
    case H5T_STR_SPACEPAD: return trimmed(bytes, UInt8(ascii: " "))
    default: return trimmed(bytes, 0)
    }
  }

  private func trimmed(_ bytes: [UInt8], _ padding: UInt8) -> [UInt8] {
    Array(bytes[..<((bytes.lastIndex { $0 != padding } ?? -1) + 1)])
  }
}

/// The names of an object's attributes.
private struct HDF5AttributeNames {
  private var names: [[UInt8]] = []

  init(_ object: hid_t) throws {
    let status = withUnsafeMutablePointer(to: &self) { list in
      H5Aiterate2(
        object, H5_INDEX_NAME, H5_ITER_NATIVE, nil,
        { _, name, _, list in
          guard let name, let list = list?.assumingMemoryBound(to: HDF5AttributeNames.self) else {
            return -1
          }
          list.pointee.names.append(Array(String(cString: name).utf8))
          return list.pointee.names.count <= Budgets.hdf5Attributes ? 0 : 1
        }, list)
    }
    guard names.count <= Budgets.hdf5Attributes else {
      throw FormatError(.sizeLimit, expected: "at most \(Budgets.hdf5Attributes) attributes")
    }
    try HDF5Library.check(status, "list the attributes")
  }

  func sorted() -> [[UInt8]] { names.sorted { $0.lexicographicallyPrecedes($1) } }
}
