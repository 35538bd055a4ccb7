import Support
import TestSupport
import Testing

@testable import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

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
      // Small files are cut everywhere, larger ones at a thousand places and near their end.
      let step = bytes.count < 4096 ? 1 : bytes.count / 1000
      for count in 0..<bytes.count where count % step == 0 || count > bytes.count - 64 {
        let path = try directory.write(bytes[..<count], as: "cut")
        if try HDF5DamageTests.outcome(path) != nil { exit(1) }
      }
    }
  }

  /// Bytes at random places are changed in several ways; the seed makes it the same every time.
  @Test(.timeLimit(.minutes(5)), arguments: names)
  func `no damage crashes or hangs`(name: String) async {
    await #expect(processExitsWith: .success) { [name] in
      let directory = try TemporaryDirectory()
      let bytes = try InputFile(Fixtures.path("hdf5/\(name).h5")).allBytes()
      var damage = HDF5Damage(seed: name.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
      for _ in 0..<300 {
        let path = try directory.write(damage.applied(to: bytes), as: "damaged")
        _ = try HDF5DamageTests.outcome(path)
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
