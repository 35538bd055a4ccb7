import Foundation
import Support
import TestSupport
import Testing

@testable import Formats

/// Damaged files, each batch in a process of its own: the library is C, and a crash must be seen as
/// one.
@Suite("Damaged HDF5") struct HDF5DamageTests {
  static let names = [
    "nested", "nested_new", "dtypes", "raw_bits", "chunked", "chunked_new", "implicit", "layouts",
    "links", "user_block", "user_block_new",
  ]

  /// What reading a file comes to: a digest of all tensors, or the refusal.
  private static func outcome(_ path: String) throws(HDF5DamageError) -> [String]? {
    do {
      let checkpoint = try openCheckpoint(path)
      return try checkpoint.tensors.map(\.name.text) + checkpoint.tensorDigests()
    } catch is FormatError {
      return nil
    } catch {
      throw HDF5DamageError()
    }
  }

  @Test(arguments: names) func `no truncation goes unseen`(name: String) async {
    await #expect(processExitsWith: .success) { [name] in
      let directory = try TemporaryDirectory()
      let bytes = try InputFile(Fixtures.path("hdf5/\(name).h5")).allBytes()
      let path = try directory.write(bytes, as: "cut")
      for count in bytes.indices.reversed() {
        try directory.cut("cut", to: count)
        if try HDF5DamageTests.outcome(path) != nil { exit(1) }
      }
    }
  }

  /// How many files each run damages: `WT_SOAK_FILES` makes it a long one.
  private static let files =
    ProcessInfo.processInfo.environment["WT_SOAK_FILES"].flatMap { Int($0) } ?? 200

  /// Bytes at random places are changed in several ways; the seed makes it the same every time.
  @Test(.timeLimit(.minutes(60)), arguments: names, [false, true])
  func `no damage crashes or hangs`(name: String, repairsChecksums: Bool) async {
    await #expect(processExitsWith: .success) { [name, repairsChecksums] in
      let directory = try TemporaryDirectory()
      let bytes = try InputFile(Fixtures.path("hdf5/\(name).h5")).allBytes()
      let checksums = repairsChecksums ? HDF5Checksums(bytes) : nil
      var damage = HDF5Damage(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
      for _ in 0..<HDF5DamageTests.files {
        var damaged = damage.applied(to: bytes)
        checksums?.repair(&damaged)
        _ = try HDF5DamageTests.outcome(directory.write(damaged, as: "damaged"))
      }
    }
  }

  /// The library copies as many bytes as the fill value's size says: bit 31 makes it vast.
  @Test(arguments: [0x8000_0004, 0xFFFF_FFFE, 0x7FFF_FFFF] as [UInt32])
  func `a fill value of another size is refused`(size: UInt32) async throws {
    await #expect(processExitsWith: .success) { [size] in
      let directory = try TemporaryDirectory()
      var bytes = try InputFile(Fixtures.path("hdf5/chunked_new.h5")).allBytes()
      let checksums = HDF5Checksums(bytes)
      // The fill value of 'holes': its size, then 7.25 in big-endian order.
      let value: [UInt8] = [4, 0, 0, 0, 0x40, 0xE8, 0, 0]
      guard let place = bytes.indices.first(where: { bytes[$0...].starts(with: value) }) else {
        exit(1)
      }
      for byte in 0..<4 { bytes[place + byte] = UInt8(size >> UInt32(8 * byte) & 0xFF) }
      checksums.repair(&bytes)
      do {
        _ = try openCheckpoint(directory.write(bytes, as: "a.h5"))
        exit(2)
      } catch let error as FormatError {
        guard error.code == .hdf5Error, error.found?.contains("too early") == true else { exit(3) }
      }
    }
  }
}

/// An error that is no `FormatError`, which nothing may throw.
struct HDF5DamageError: Error {}

/// Changes a few bytes of a file, differently every time.
private struct HDF5Damage {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func number(below limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit
  }

  mutating func applied(to original: [UInt8]) -> [UInt8] {
    var bytes = original
    let way = number(below: 5)
    for _ in 0...number(below: 4) {
      let place = number(below: bytes.count)
      switch way {
      case 0: bytes[place] ^= 1 << number(below: 8)
      case 1: bytes[place] = UInt8(number(below: 256))
      case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][number(below: 5)]
      case 3: for index in place..<min(place + 8, bytes.count) { bytes[index] = 0xFF }
      default: bytes[place] &+= UInt8(number(below: 8)) &- 4
      }
    }
    return bytes
  }
}
