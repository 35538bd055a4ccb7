import CHDF5

/// An HDF5 file as libhdf5 sees it: everything about it that only the library can tell.
///
/// The library interprets the structure alone. The tensors' bytes it never reads nor decodes; it
/// says where they lie, and that is checked before anything is read there. Nothing but values
/// crosses this interface, so that what is behind it can move into a process of its own.
final class HDF5File: Sendable {
  let input: HDF5Input
  private let handle: hid_t
  // Touched by the library's calls alone, which `HDF5Library.run` puts one after another.
  nonisolated(unsafe) private let driverFile: HDF5DriverFile

  /// Opens the file through what is open already.
  ///
  /// - Throws: `FormatError` with code `hdf5Error` or `fileChanged`.
  init(_ file: InputFile) throws {
    let place = try HDF5Signature.place(in: file)
    guard let place else { throw FormatError(.hdf5Error, found: "no HDF5 signature") }
    let input = HDF5Input(file, base: place)
    try Self.checkBeginning(input)
    let driverFile = HDF5DriverFile(input)
    handle = try HDF5Library.run {
      let list = try HDF5Driver.accessList(driverFile)
      defer { HDF5Library.close(list) }
      return try HDF5Library.check(H5Fopen("input", wt_H5F_ACC_RDONLY, list), "open the file")
    }
    self.input = input
    self.driverFile = driverFile
  }

  /// Checks what the library reads while it opens the file.
  private static func checkBeginning(_ input: HDF5Input) throws {
    let superblock = try HDF5Superblock(input)
    var (seen, cached) = (HDF5Seen(), HDF5Seen())
    if let table = superblock.cachedTable { try HDF5SymbolTable.check(input, table, &cached) }
    if let address = superblock.extensionAddress {
      try HDF5ObjectHeader.checkExtension(input, at: address)
    }
    try HDF5ObjectHeader.check(input, at: superblock.rootAddress, &seen)
  }

  deinit {
    _ = HDF5Library.run { H5Fclose(handle) }
  }

  /// Walks through the whole file.
  ///
  /// - Throws: `FormatError` with a code of `HDF5Walk`, `HDF5Description` or `HDF5Attributes`.
  func catalogue() throws -> HDF5Catalogue {
    try HDF5Library.run {
      let attributes = HDF5Attributes(input)
      var walk = HDF5Walk(input)
      try walk.run(handle) { object, dataset in
        try HDF5Description.dataset(
          dataset, name: TensorName(object.fullName), address: UInt64(object.address),
          attributes: attributes)
      }
      var catalogue = HDF5Catalogue()
      catalogue.datasets = walk.datasets
      let (metadata, others) = try attributes.metadata(handle)
      catalogue.metadata = metadata
      catalogue.notes = walk.notes
      if others > 0 {
        catalogue.notes.append("\(others) attribute(s) of the file are no text and were left out")
      }
      return catalogue
    }
  }

  /// The bytes of a dataset that lies in its object header.
  func compactBytes(of dataset: HDF5Dataset) throws -> [UInt8] {
    try withDataset(dataset) { handle in
      let type = try HDF5Library.check(H5Dget_type(handle), "read a dataset's type")
      defer { HDF5Library.close(type) }
      var bytes = [UInt8](repeating: 0, count: dataset.info.byteCount)
      let all = hid_t(H5S_ALL)
      try HDF5Library.check(
        H5Dread(handle, type, all, all, wt_H5P_DEFAULT, &bytes), "read a dataset")
      return bytes
    }
  }

  /// What an element is that was never written, in the file's byte order.
  func fillElement(of dataset: HDF5Dataset) throws -> [UInt8] {
    try withDataset(dataset) { handle in
      let creation = try HDF5Library.check(H5Dget_create_plist(handle), "read a fill value")
      defer { HDF5Library.close(creation) }
      let type = try HDF5Library.check(H5Dget_type(handle), "read a dataset's type")
      defer { HDF5Library.close(type) }
      var state = H5D_FILL_VALUE_UNDEFINED
      try HDF5Library.check(H5Pfill_value_defined(creation, &state), "read a fill value")
      var element = [UInt8](repeating: 0, count: dataset.elementBytes)
      if state == H5D_FILL_VALUE_USER_DEFINED {
        try HDF5Library.check(H5Pget_fill_value(creation, type, &element), "read a fill value")
      }
      return element
    }
  }

  /// Where chunks lie, given the coordinates of their first elements; nil for those that were
  /// never written.
  func storedChunks(of dataset: HDF5Dataset, at places: [[Int]]) throws -> [HDF5StoredChunk?] {
    try withDataset(dataset) { handle in
      try places.map { try storedChunk(handle, at: $0.map { hsize_t($0) }) }
    }
  }

  private func storedChunk(_ dataset: hid_t, at place: [hsize_t]) throws -> HDF5StoredChunk? {
    var skipped: UInt32 = 0
    // Nothing is written here: the driver only notes what the library wants to read.
    var untouched: UInt8 = 0
    let (status, ranges) = driverFile.locating {
      wt_H5Dread_chunk(dataset, place, &skipped, &untouched)
    }
    if status < 0, HDF5Library.failureMeansAbsence { return nil }
    try HDF5Library.check(status, "find a chunk")
    guard ranges.count == 1 else { throw FormatError(.hdf5Error, found: "a chunk in pieces") }
    return HDF5StoredChunk(range: ranges[0], skippedFilters: skipped)
  }

  private func withDataset<Result>(
    _ dataset: HDF5Dataset, _ body: (hid_t) throws -> Result
  ) throws -> Result {
    try HDF5Library.run {
      let dataset = try HDF5Library.check(
        wt_H5Oopen_by_addr(handle, haddr_t(dataset.address)), "open a dataset")
      defer { HDF5Library.close(dataset) }
      return try body(dataset)
    }
  }
}
