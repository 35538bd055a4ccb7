import TestSupport
import Testing

@testable import Formats

/// Files of two formats at once.
@Suite("Files of two formats") struct TwinTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func safeTensors(_ bytes: [UInt8]) -> [UInt8] {
    let tensor = SafeTensorsRowTests.tensor(
      dtype: "\"U8\"", shape: "[\(bytes.count)]", offsets: "[0,\(bytes.count)]")
    return SafeTensorsRowTests.file(Array("{\(tensor)}".utf8), data: 0) + bytes
  }

  private func npy(_ bytes: [UInt8]) -> [UInt8] {
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (\(bytes.count),), }"
    let header = Array(text.utf8) + [UInt8](repeating: 0x20, count: 117 - text.utf8.count) + [0x0A]
    return [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + header + bytes
  }

  private var archives: [[UInt8]] {
    var commented = ZipBuilder.torch(TorchRowTests.good)
    commented.comment = [0x20]
    var trailed = ZipBuilder.torch(TorchRowTests.good)
    trailed.suffix = [1, 2, 3]
    var long = ZipBuilder.torch(TorchRowTests.good)
    long.zip64Shift = 0
    long.suffix = [UInt8](repeating: 0, count: 60_000)
    return [ZipBuilder.torch(TorchRowTests.good), commented, trailed, long].map { $0.build() }
  }

  private func expectRefusal(_ bytes: [UInt8]) throws {
    let path = try directory.write(bytes, as: "twin")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .trailingBytes)
  }

  @Test func `an archive behind a tensor is refused whatever follows it`() throws {
    for archive in archives {
      try expectRefusal(safeTensors(archive))
      try expectRefusal(npy(archive))
    }
  }

  @Test(arguments: [512, 1024, 4096]) func `an HDF5 file behind a header is refused`(
    place: Int
  ) throws {
    let file = try InputFile(Fixtures.path("hdf5/nested.h5")).allBytes()
    for twin in [safeTensors, npy] {
      let size = twin(file).count - file.count
      try expectRefusal(twin([UInt8](repeating: 0, count: place - size) + file))
    }
  }

  @Test func `signatures by chance are a tensor's bytes`() throws {
    let signature: [UInt8] = [0x50, 0x4B, 5, 6]
    let bytes = (0..<500).flatMap { _ in signature + [UInt8](repeating: 7, count: 21) }
    let path = try directory.write(safeTensors(bytes), as: "plain")
    #expect(try openCheckpoint(path).bytes(of: 0) == bytes)
  }
}
