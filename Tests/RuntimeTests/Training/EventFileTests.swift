import Foundation
import TestSupport
import Testing

@testable import Training

@Suite("TensorBoard events")
struct EventFileTests {
  private let directory: TemporaryDirectory
  private let path: String
  private static let steps = [0, 1, 2, 127, 128, 300, 70000]

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.file(EventFile.name)
  }

  /// What make_event_fixtures.py wrote with TensorBoard's own writer.
  private func recorded() throws -> [UInt8] { try bytes(Fixtures.path("runtime/events.tfevents")) }

  private func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private func write(_ steps: some Sequence<Int>, keeping kept: Int) throws {
    let file = try EventFile(path, keeping: kept)
    for step in steps {
      try file.append(
        step: step, wallTime: 1.5e9 + Double(step) / 4,
        [
          ("loss", 1 / Double(1 + step)), ("lr", 0), ("Dice/é", step == 2 ? .nan : -0.25),
        ])
    }
    try file.synchronize()
  }

  @Test func `checksums are those of the standard`() {
    #expect(CRC32C.checksum("123456789".utf8) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
  }

  @Test func `events are the bytes that TensorBoard's own writer gives`() throws {
    try write(Self.steps, keeping: 0)
    #expect(try bytes(path) == recorded())
  }

  @Test(arguments: steps) func `a run that is continued has every step once`(_ step: Int) throws {
    try write(Self.steps, keeping: 0)
    try write(Self.steps.filter { $0 >= step }, keeping: step)
    #expect(try bytes(path) == recorded())
  }

  @Test func `a file that was cut anywhere is continued from its last whole record`() throws {
    let whole = try recorded()
    for length in 0..<whole.count {
      _ = try directory.write(whole[..<length], as: EventFile.name)
      _ = try EventFile(path, keeping: .max)
      let kept = try bytes(path)
      #expect(whole.starts(with: kept) && kept.count <= max(length, EventRecord.version.count))
      #expect(kept.count >= EventRecord.version.count)
    }
  }

  @Test func `damage anywhere cuts the file there`() throws {
    let whole = try recorded()
    for place in whole.indices {
      var damaged = whole
      damaged[place] ^= 0x10
      _ = try directory.write(damaged, as: EventFile.name)
      _ = try EventFile(path, keeping: .max)
      let kept = try bytes(path)
      #expect(kept == EventRecord.version || kept.count <= place && whole.starts(with: kept))
    }
  }

  @Test func `a length that lies is no reason to read`() throws {
    let length = EventRecord.littleEndian(UInt64.max)
    let lie = EventRecord.version + length + EventRecord.littleEndian(CRC32C.masked(length))
    _ = try directory.write(lie + [1, 2, 3], as: EventFile.name)
    _ = try EventFile(path, keeping: .max)
    #expect(try bytes(path) == EventRecord.version)
  }
}
