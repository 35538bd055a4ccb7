import TestSupport
import Testing

@testable import Formats

/// Views of storages that somebody has compressed within their archive.
@Suite("Views of deflated storages") struct InflatedRecordTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func archive(_ storage: [UInt8], _ value: (PickleBuilder) -> PickleBuilder) throws
    -> String
  {
    var archive = ZipBuilder.torch(PickleBuilder().dict("a", value).stop, storage: storage)
    let place = try #require(archive.records.firstIndex { $0.name.hasSuffix("/0") })
    archive.records[place].method = 8
    return try directory.write(archive.build(), as: "a.pth")
  }

  @Test func `parts are what they are in a stored record`() throws {
    let storage = (0..<4000).flatMap { value in
      (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let path = try archive(storage) {
      $0.tensor(count: 4000, offset: 3990, size: [10]).op("s").text("b")
        .tensor(count: 4000, offset: 1, size: [3, 2], strides: [1, 100])
    }
    let checkpoint = try openCheckpoint(path)
    #expect(try checkpoint.bytes(of: 0) == Array(storage[(4 * 3990)...]))
    let numbers = [1, 101, 2, 102, 3, 103].flatMap { Array(storage[4 * $0..<4 * $0 + 4]) }
    #expect(try checkpoint.bytes(of: 1) == numbers)
    #expect(try directory.entries() == ["a.pth"])
  }

  @Test func `a small view of a large storage counts as the storage`() throws {
    let size = 80 << 20
    let path = try archive([UInt8](repeating: 0, count: size)) {
      $0.tensor(count: size / 4, size: [1])
    }
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .expansionLimit)
    let allowed = CheckpointOptions(allowsExpansion: true)
    #expect(try openCheckpoint(path, options: allowed).bytes(of: 0) == [0, 0, 0, 0])
  }

  @Test func `a wrong checksum is found in a part`() throws {
    var archive = ZipBuilder.torch(
      PickleBuilder().dict { $0.tensor(size: [1]) }.stop)
    let place = try #require(archive.records.firstIndex { $0.name.hasSuffix("/0") })
    archive.records[place].method = 8
    archive.records[place].crc = 1
    let checkpoint = try openCheckpoint(directory.write(archive.build(), as: "a.pth"))
    let error = #expect(throws: FormatError.self) { try checkpoint.bytes(of: 0) }
    #expect(error?.code == .crcMismatch)
  }
}
