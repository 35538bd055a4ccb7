import CHDF5

/// What the library's file driver knows of one open file.
final class HDF5DriverFile {
  fileprivate let storage: any HDF5Storage
  /// One past the last address that the library has taken into use.
  fileprivate var endOfAddresses: haddr_t = 0
  fileprivate var isOpen = false
  /// Whether a read of tensor data shall only tell where these lie.
  private var isLocating = false
  private var located: [Range<Int>] = []
  /// Whether a write failed; what the library still writes while it closes is then let go.
  private var isBroken = false

  init(_ storage: any HDF5Storage) { self.storage = storage }

  /// One past the file's last byte, as the library closed it.
  var fileSize: Int { Int(clamping: endOfAddresses) }

  /// Runs a call that reads tensor data, and returns where they lie instead of reading them.
  ///
  /// The ranges lie within the file; their lengths have not been compared with anything.
  func locating(_ call: () -> herr_t) -> (status: herr_t, ranges: [Range<Int>]) {
    (isLocating, located) = (true, [])
    defer { isLocating = false }
    return (call(), located)
  }

  /// How the library may collect what it reads and writes.
  ///
  /// A file that is read gets no accumulator of metadata: in version 1.10 it copies from outside
  /// of its buffer when addresses are forged.
  fileprivate var features: Int32 {
    storage is HDF5Input
      ? 0
      : H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA
        | H5FD_FEAT_AGGREGATE_SMALLDATA
  }

  fileprivate func read(
    _ kind: H5FD_mem_t, _ address: haddr_t, _ buffer: UnsafeMutableRawPointer?, _ count: Int
  ) throws {
    let range = try checkedRange(address, count)
    if isLocating, kind == H5FD_MEM_DRAW {
      located.append(range)
    } else {
      try storage.read(
        into: UnsafeMutableRawBufferPointer(start: buffer, count: count), at: range.lowerBound)
    }
  }

  fileprivate func write(_ address: haddr_t, _ buffer: UnsafeRawPointer?, _ count: Int) throws {
    guard !isBroken else { return }
    guard let offset = Int(exactly: address) else { throw FormatError(.overflow) }
    try breaking {
      try storage.write(UnsafeRawBufferPointer(start: buffer, count: count), at: offset)
    }
  }

  fileprivate func truncate() throws {
    guard !isBroken else { return }
    try breaking { try storage.finish(size: fileSize) }
  }

  private func breaking(_ call: () throws -> Void) throws {
    do {
      try call()
    } catch {
      isBroken = true
      throw error
    }
  }

  private func checkedRange(_ address: haddr_t, _ count: Int) throws -> Range<Int> {
    guard count >= 0, let start = Int(exactly: address), start <= storage.size,
      count <= storage.size - start
    else {
      throw FormatError(
        .hdf5Error, offset: Int(exactly: address), expected: "\(count) bytes",
        found: "a file of \(storage.size)")
    }
    return start..<start + count
  }
}

/// The file driver that hands the library the bytes of an `HDF5Storage`.
///
/// The library so opens no file: what was checked is what is read, failing calls keep their
/// reason, and neither file locks nor paths inside a file reach the system.
enum HDF5Driver {
  /// The driver's handle, registered on first use.
  static let handle: hid_t = {
    var driver = H5FD_class_t()
    driver.maxaddr = haddr_t(Int64.max)
    driver.fc_degree = H5F_CLOSE_STRONG
    driver.fapl_size = MemoryLayout<UnsafeRawPointer>.size
    wt_complete_driver(&driver)
    setLifetimeCalls(&driver)
    setAddressCalls(&driver)
    setTransferCalls(&driver)
    return H5FDregister(&driver)
  }()

  /// Makes an access list with which one file can be opened, once at a time.
  static func accessList(_ file: HDF5DriverFile) throws -> hid_t {
    let list = try HDF5Library.check(H5Pcreate(wt_H5P_FILE_ACCESS()), "create an access list")
    var pointer = UnsafeRawPointer(Unmanaged.passUnretained(file).toOpaque())
    do {
      try HDF5Library.check(H5Pset_driver(list, handle, &pointer), "set the driver")
      try HDF5Library.check(H5Pset_fclose_degree(list, H5F_CLOSE_STRONG), "set the access list")
    } catch {
      HDF5Library.close(list)
      throw error
    }
    return list
  }

  private static func setLifetimeCalls(_ driver: inout H5FD_class_t) {
    // A second file, which only a link in the first could name, is refused whatever it is.
    driver.open = { _, _, list, _ in
      guard let info = H5Pget_driver_info(list) else { return nil }
      let pointer = info.load(as: UnsafeRawPointer.self)
      let reference = Unmanaged<HDF5DriverFile>.fromOpaque(pointer)
      guard !reference.takeUnretainedValue().isOpen else { return nil }
      // The library may hold on to a file whose closing failed.
      reference.retain().takeUnretainedValue().isOpen = true
      let file = UnsafeMutablePointer<wt_driver_file>.allocate(capacity: 1)
      file.initialize(to: wt_driver_file())
      file.pointee.storage = UnsafeMutableRawPointer(mutating: pointer)
      return UnsafeMutableRawPointer(file).assumingMemoryBound(to: H5FD_t.self)
    }
    driver.close = { file in
      let closed = state(file)
      closed.isOpen = false
      Unmanaged.passUnretained(closed).release()
      UnsafeMutableRawPointer(file)?.deallocate()
      return 0
    }
    driver.query = { file, flags in
      flags?.pointee = file.map { UInt(state($0).features) } ?? 0
      return 0
    }
  }

  private static func setAddressCalls(_ driver: inout H5FD_class_t) {
    driver.get_eoa = { file, _ in state(file).endOfAddresses }
    driver.set_eoa = { file, _, address in
      state(file).endOfAddresses = address
      return 0
    }
    driver.get_eof = { file, _ in haddr_t(state(file).storage.size) }
  }

  private static func setTransferCalls(_ driver: inout H5FD_class_t) {
    driver.read = { file, kind, _, address, count, buffer in
      status { try state(file).read(kind, address, buffer, count) }
    }
    driver.write = { file, _, _, address, count, buffer in
      status { try state(file).write(address, buffer, count) }
    }
    driver.truncate = { file, _, _ in
      status { try state(file).truncate() }
    }
  }
}

private func state(_ file: UnsafePointer<H5FD_t>?) -> HDF5DriverFile {
  guard let file, let pointer = UnsafeRawPointer(file).load(as: wt_driver_file.self).storage
  else { preconditionFailure("the library passes the file that was opened") }
  return Unmanaged<HDF5DriverFile>.fromOpaque(pointer).takeUnretainedValue()
}

private func status(_ call: () throws -> Void) -> herr_t {
  do {
    try call()
    return 0
  } catch {
    HDF5Library.note(error)
    return -1
  }
}
