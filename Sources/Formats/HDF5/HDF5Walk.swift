import CHDF5

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Goes through the groups of a file and finds its datasets.
///
/// Only hard links are followed, and those by address: no name in the file is ever resolved. The
/// stack is our own, so that nesting costs no machine stack; a group is entered once, so that
/// cycles end.
struct HDF5Walk {
  /// An object that a link leads to.
  struct Object {
    var group: String
    var name: String
    var address: haddr_t
    var depth: Int

    /// The names of the groups and the object's own, joined by dots.
    var fullName: String { group.isEmpty ? name : "\(group).\(name)" }
  }

  /// Groups depth first, and each group's links by name.
  private(set) var datasets: [HDF5Dataset] = []
  /// The place of every dataset that was described, by its address.
  private var places: [haddr_t: Int] = [:]
  private var seen = HDF5Seen()
  private let input: HDF5Input
  private var pending: [Object] = []
  private var visited: Set<haddr_t> = []
  private var objectCount = 1
  private var nameBytes = 0
  private var repeated: [String] = []

  init(_ input: HDF5Input) { self.input = input }

  /// What a user should know of the links.
  var notes: [String] {
    guard let first = repeated.first else { return [] }
    return [
      "\(repeated.count) link(s) lead to groups that are listed already, such as '\(first)'"
    ]
  }

  /// Finds every dataset and lets `describe` describe it, once however many names it has.
  ///
  /// - Throws: `FormatError` with code `forbiddenHDF5Feature`, `unsupportedType`, `depthLimit`,
  ///   `tensorLimit`, `nameLimit`, `invalidUTF8` or `hdf5Error`.
  mutating func run(
    _ file: hid_t, _ describe: (Object, hid_t) throws -> HDF5Dataset
  ) throws {
    let root = try HDF5Library.check(H5Gopen2(file, "/", wt_H5P_DEFAULT), "open the root group")
    defer { HDF5Library.close(root) }
    var address: haddr_t = 0
    try HDF5Library.check(wt_object_address(root, &address), "find the root group")
    visited.insert(address)
    try push(root, below: nil)
    while let object = pending.popLast() {
      try naming(subject: object.fullName) { try visit(object, file, describe) }
    }
  }

  private mutating func visit(
    _ object: Object, _ file: hid_t, _ describe: (Object, hid_t) throws -> HDF5Dataset
  ) throws {
    guard !visited.contains(object.address) else {
      repeated.append(object.fullName)
      return
    }
    if let place = places[object.address] {
      var dataset = datasets[place]
      dataset.info.name = TensorName(object.fullName)
      datasets.append(dataset)
      return
    }
    try HDF5ObjectHeader.check(input, at: Int(clamping: object.address), &seen)
    let handle = try HDF5Library.check(wt_H5Oopen_by_addr(file, object.address), "open an object")
    defer { HDF5Library.close(handle) }
    switch H5Iget_type(handle) {
    case H5I_GROUP:
      visited.insert(object.address)
      try push(handle, below: object)
    case H5I_DATASET:
      places[object.address] = datasets.count
      datasets.append(try describe(object, handle))
    default: throw FormatError(.unsupportedType, found: "a committed type")
    }
  }

  /// Puts what a group links to on the stack, the first name on top.
  private mutating func push(_ group: hid_t, below parent: Object?) throws {
    let depth = (parent?.depth ?? 0) + 1
    let links = try HDF5LinkList(group, limit: Budgets.hdf5Objects - objectCount).sorted()
    objectCount += links.count
    for link in links.reversed() {
      let object = Object(
        group: parent?.fullName ?? "", name: try link.checkedName(), address: link.address,
        depth: depth)
      try check(object, link)
      pending.append(object)
    }
  }

  private mutating func check(_ object: Object, _ link: HDF5LinkList.Link) throws {
    guard link.kind == H5L_TYPE_HARD else {
      throw FormatError(
        .forbiddenHDF5Feature, subject: object.fullName, found: link.kindName,
        remedy: "copy what it leads to into the file")
    }
    guard object.depth <= Budgets.hdf5Depth else {
      throw FormatError(
        .depthLimit, subject: object.fullName, expected: "at most \(Budgets.hdf5Depth) groups")
    }
    let length = object.group.utf8.count + 1 + object.name.utf8.count
    nameBytes += length
    guard length <= Budgets.tensorNameBytes, nameBytes <= Budgets.hdf5NameBytes else {
      throw FormatError(
        .nameLimit, subject: object.fullName, expected: "at most \(Budgets.tensorNameBytes) bytes")
    }
  }
}

/// The links of one group.
struct HDF5LinkList {
  struct Link {
    /// As stored; it need not be text.
    var name: [UInt8]
    var kind: H5L_type_t
    var address: haddr_t

    var kindName: String {
      switch kind {
      case H5L_TYPE_HARD: "a hard link"
      case H5L_TYPE_SOFT: "a soft link"
      case H5L_TYPE_EXTERNAL: "a link to another file"
      default: "a link of a user's own kind"
      }
    }

    /// The name, if it can be one.
    func checkedName() throws -> String {
      guard let text = String(validating: name, as: UTF8.self) else {
        throw FormatError(.invalidUTF8, subject: String(decoding: name, as: UTF8.self))
      }
      guard !text.isEmpty, !text.utf8.contains(UInt8(ascii: "/")) else {
        throw FormatError(.hdf5Error, subject: text, found: "a link without a proper name")
      }
      return text
    }
  }

  private var links: [Link] = []
  private let limit: Int
  private var nameBytes = 0

  init(_ group: hid_t, limit: Int) throws {
    self.limit = limit
    let status = withUnsafeMutablePointer(to: &self) { list in
      wt_visit_links(
        group,
        { name, kind, address, list in
          guard let name, let list = list?.assumingMemoryBound(to: HDF5LinkList.self) else {
            return -1
          }
          return list.pointee.add(name, kind, address)
        }, list)
    }
    guard links.count <= limit else {
      throw FormatError(.tensorLimit, expected: "at most \(Budgets.hdf5Objects) objects")
    }
    guard nameBytes <= Budgets.hdf5NameBytes else { throw FormatError(.nameLimit) }
    guard links.allSatisfy({ $0.name.count <= Budgets.tensorNameBytes }) else {
      throw FormatError(.nameLimit, expected: "at most \(Budgets.tensorNameBytes) bytes")
    }
    try HDF5Library.check(status, "list a group")
  }

  /// In the order of the names' bytes, whatever order the file keeps.
  func sorted() -> [Link] { links.sorted { $0.name.lexicographicallyPrecedes($1.name) } }

  /// Returns what ends the iteration when there are too many, or a name is too long.
  private mutating func add(
    _ name: UnsafePointer<CChar>, _ kind: H5L_type_t, _ address: haddr_t
  ) -> herr_t {
    // One byte more than a name may have tells that it has too many.
    let count = strnlen(name, Budgets.tensorNameBytes + 1)
    let bytes = UnsafeRawBufferPointer(start: name, count: count)
    links.append(Link(name: Array(bytes), kind: kind, address: address))
    nameBytes += count
    let isFine =
      links.count <= limit && count <= Budgets.tensorNameBytes
      && nameBytes <= Budgets.hdf5NameBytes
    return isFine ? 0 : 1
  }
}

/// Runs `body` and completes the errors it throws with the object they concern.
func naming<Result>(subject: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let error as FormatError where error.subject == nil {
    throw FormatError(
      error.code, file: error.file, offset: error.offset, subject: subject,
      expected: error.expected, found: error.found, remedy: error.remedy)
  }
}
