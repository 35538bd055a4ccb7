import CHDF5

/// Reads the heap in which a file keeps data of varying length.
///
/// Source: HDF5 File Format Specification, III.E (global heap) and VIII.C (variable length).
final class HDF5GlobalHeap {
  private let input: HDF5Input
  /// Where the objects of each collection lie, by its address and their numbers.
  ///
  /// An attribute has to find its object among all others, so each collection is read but once.
  private var collections: [Int: [UInt32: Range<Int>]] = [:]
  private var objectCount = 0
  /// What was read last, since headers lie close to one another.
  private var window = (start: 0, bytes: [UInt8]())

  /// Bytes of a descriptor: length, heap address and index, in files with 8-byte addresses.
  static let descriptorBytes = 16
  private static let headerBytes = 16
  private static let windowBytes = 1 << 16

  init(_ input: HDF5Input) { self.input = input }

  /// Lets the library hand out descriptors as they are stored; called once.
  static func registerDescriptors() {
    let text = H5Tcopy(wt_H5T_C_S1())
    let descriptor = H5Tcreate(H5T_OPAQUE, descriptorBytes)
    H5Tset_size(text, wt_H5T_VARIABLE())
    // A conversion that changes nothing: the descriptor's bytes stay where they are.
    H5Tregister(
      H5T_PERS_SOFT, "wt descriptor", text, descriptor,
      { _, _, call, _, _, _, _, _, _ in
        call?.pointee.need_bkg = H5T_BKG_NO
        return 0
      })
    HDF5Library.close(text)
    HDF5Library.close(descriptor)
  }

  /// The bytes of a variable-length attribute.
  ///
  /// - Throws: `FormatError` with code `hdf5Error` or `sizeLimit`.
  func bytes(of attribute: hid_t) throws -> [UInt8] {
    let type = try HDF5Library.check(
      H5Tcreate(H5T_OPAQUE, Self.descriptorBytes), "create a type")
    defer { HDF5Library.close(type) }
    var descriptor = [UInt8](repeating: 0, count: Self.descriptorBytes)
    try HDF5Library.check(H5Aread(attribute, type, &descriptor), "read an attribute")
    var cursor = ByteCursor(descriptor)
    let length = Int(try cursor.u32())
    let (address, index) = (try cursor.length64(.hdf5Error), try cursor.u32())
    return length == 0 ? [] : try object(index, in: address, length: length)
  }

  private func object(_ index: UInt32, in address: Int, length: Int) throws -> [UInt8] {
    guard length <= Budgets.hdf5AttributeBytes else {
      throw FormatError(
        .sizeLimit, expected: "at most \(Budgets.hdf5AttributeBytes) bytes of attributes")
    }
    guard let range = try collection(at: address)[index], range.count == length else {
      throw damaged(address)
    }
    return try input.bytes(range.lowerBound, length)
  }

  private func collection(at address: Int) throws -> [UInt32: Range<Int>] {
    if let known = collections[address] { return known }
    let found = try readCollection(at: address)
    collections[address] = found
    return found
  }

  private func readCollection(at address: Int) throws -> [UInt32: Range<Int>] {
    var cursor = try header(at: address)
    guard try cursor.slice(4).elementsEqual("GCOL".utf8), try cursor.u32() == 1 else {
      throw damaged(address)
    }
    let end = try sum(address, try cursor.length64(.hdf5Error))
    guard end <= input.size else { throw damaged(address) }
    var place = try sum(address, Self.headerBytes)
    var objects: [UInt32: Range<Int>] = [:]
    // What is too short for a header is free space that has none.
    while end - place >= Self.headerBytes {
      var cursor = try header(at: place)
      let index = UInt32(try cursor.u16())
      guard index != 0 else { break }
      _ = try cursor.slice(6)
      let size = try cursor.length64(.hdf5Error)
      let start = try sum(place, Self.headerBytes)
      let objectEnd = try sum(start, size)
      guard objectEnd <= end, objects.updateValue(start..<objectEnd, forKey: index) == nil else {
        throw damaged(place)
      }
      try count(place)
      place = try sum(start, try sum(size, 7) & ~7)
    }
    return objects
  }

  /// An object costs 16 bytes of the file, and no two collections share one.
  private func count(_ place: Int) throws {
    objectCount += 1
    guard objectCount <= input.size / Self.headerBytes else { throw damaged(place) }
    guard objectCount <= Budgets.hdf5HeapObjects else {
      throw FormatError(
        .sizeLimit, offset: place,
        expected: "heaps of at most \(Budgets.hdf5HeapObjects) objects in all",
        found: "more")
    }
  }

  private func header(at place: Int) throws -> ByteCursor {
    if place < window.start || place - window.start > window.bytes.count - Self.headerBytes {
      let count = max(Self.headerBytes, min(Self.windowBytes, input.size - place))
      window = (place, try input.bytes(place, count))
    }
    let start = place - window.start
    return ByteCursor(Array(window.bytes[start..<start + Self.headerBytes]), base: place)
  }

  private func sum(_ left: Int, _ right: Int) throws -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    guard !overflow else { throw damaged(left) }
    return sum
  }

  private func damaged(_ place: Int) -> FormatError {
    FormatError(.hdf5Error, offset: place, found: "a heap that does not hold the text")
  }
}
