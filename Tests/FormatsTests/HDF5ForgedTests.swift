import TestSupport
import Testing

@testable import Formats

/// HDF5 files made by hand to cost more than they are worth, or to get past what is checked.
@Suite("Forged HDF5") struct HDF5ForgedTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static func le(_ values: [UInt64], bytes: Int = 8) -> [UInt8] {
    values.flatMap { value in (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }

  private static let nowhere = UInt64.max

  /// A root group whose links, to the group itself, all share one name.
  private static func group(nameBytes: Int, links: Int) -> [UInt8] {
    let (root, tree) = (96, 96 + 16 + 24)
    let heap = tree + 24 + 8 * 65
    let node = heap + 32 + nameBytes + 1
    let end = node + 8 + 40 * links
    var bytes: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0, 0, 8, 8, 0]
    bytes += le([32767, 16], bytes: 2) + [0, 0, 0, 0]
    bytes += le([0, nowhere, UInt64(end), nowhere]) + le([0, UInt64(root), 0, 0, 0])
    bytes += [1, 0, 1, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 16, 0, 0, 0, 0, 0]
    bytes += le([UInt64(tree), UInt64(heap)])
    bytes += Array("TREE".utf8) + [0, 0, 1, 0] + le([nowhere, nowhere, 0, UInt64(node), 0])
    bytes += [UInt8](repeating: 0, count: heap - bytes.count)
    bytes += Array("HEAP".utf8) + [0, 0, 0, 0] + le([UInt64(nameBytes + 1), 1, UInt64(heap + 32)])
    bytes += [UInt8](repeating: UInt8(ascii: "a"), count: nameBytes) + [0]
    bytes += Array("SNOD".utf8) + [1, 0] + le([UInt64(links)], bytes: 2)
    let link = le([0, UInt64(root), 0, 0, 0])
    return bytes + (0..<links).flatMap { _ in link }
  }

  @Test(arguments: [
    (1 << 20, 1_000, FormatError.Code.nameLimit), (60_000, 30_000, .hdf5Error),
  ])
  func `links that share a long name are refused before it is copied`(
    nameBytes: Int, links: Int, code: FormatError.Code
  ) throws {
    let path = try directory.write(Self.group(nameBytes: nameBytes, links: links), as: "a.h5")
    let outcome = try Tool.run(["inspect", path], in: directory)
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains("[\(code.rawValue)]"), "\(outcome.errors)")
    #expect(outcome.peakResidentBytes < 64 << 20 + 2 * (nameBytes + 40 * links))
    #expect(outcome.processorSeconds < 2)
  }

  /// A good file of the newer kind whose superblock leads to one message more.
  private func extended(_ kind: UInt8, _ content: [UInt8]) throws -> [UInt8] {
    var bytes = try InputFile(Fixtures.path("hdf5/nested_new.h5")).allBytes()
    let checksums = HDF5Checksums(bytes)
    bytes.replaceSubrange(20..<28, with: Self.le([UInt64(bytes.count)]))
    checksums.repair(&bytes)
    bytes += Array("OHDR".utf8) + [2, 0, UInt8(content.count + 4), kind]
    return bytes + Self.le([UInt64(content.count)], bytes: 2) + [0] + content + [0, 0, 0, 0]
  }

  @Test(arguments: [0x01, 0x06, 0x0F, 0x10 + 4, 0x18, 0x19, 0xFF] as [UInt8])
  func `a superblock leads to nothing that the library would load unchecked`(kind: UInt8) throws {
    let content = [0] + Self.le([0, 200]) + [UInt8](repeating: 0, count: 10)
    let path = try directory.write(extended(kind, content), as: "a.h5")
    let outcome = try Tool.run(["inspect", path], in: directory)
    #expect((outcome.status, outcome.signal) == (65, 0))
    #expect(outcome.errors.contains("[forbiddenHDF5Feature]"), "\(outcome.errors)")
  }

  private static let numbers: [(UInt8, [UInt8])] = [
    (0x13, [0, 0, 0, 4, 0, 4, 0]), (0x13, [0, 4, 0]), (0x17, [1, 1, 0]),
  ]

  @Test(arguments: numbers)
  func `numbers of a superblock are held within bounds`(kind: UInt8, content: [UInt8]) throws {
    let path = try directory.write(extended(kind, content), as: "a.h5")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .hdf5Error)
  }

  @Test func `a heap that repeats an object is refused`() throws {
    var bytes = try InputFile(Fixtures.path("hdf5/nested.h5")).allBytes()
    let heap = try #require(bytes.firstRange(of: Array("GCOL".utf8))?.lowerBound)
    // A descriptor is the text's length, its heap and its number there.
    let place = try #require(
      bytes.ranges(of: Self.le([UInt64(heap)])).first { $0.lowerBound > 4 }?.lowerBound)
    let length = bytes[place - 4]
    bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
    let forged = bytes.count
    let empty: [UInt8] = [1, 0, 1, 0, 0, 0, 0, 0] + Self.le([0])
    let objects = empty + empty + [2, 0, 1, 0, 0, 0, 0, 0]
    let text = Self.le([UInt64(length)]) + [UInt8](repeating: 0x61, count: Int(length) + 7)
    bytes += Array("GCOL".utf8) + [1, 0, 0, 0] + Self.le([UInt64(16 + objects.count + text.count)])
    bytes += objects + text
    bytes.replaceSubrange(place..<place + 12, with: Self.le([UInt64(forged)]) + [2, 0, 0, 0])
    let path = try directory.write(bytes, as: "a.h5")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .hdf5Error)
  }
}
