import Foundation
import TestSupport
import Testing

@testable import Formats

/// Every number in the headers of every format, replaced by every number that readers fall over.
@Suite("Lies about numbers") struct FieldLieTests {
  static let names = FieldLieSubject.makers.keys.sorted()

  /// How many lies are tried where there are too many; `WT_SOAK_LIES` tries more.
  private static let limit =
    ProcessInfo.processInfo.environment["WT_SOAK_LIES"].flatMap { Int($0) } ?? 2_000

  /// Each file in a process of its own, so that a crash is seen as one and memory can be measured.
  @Test(.timeLimit(.minutes(60)), arguments: names)
  func `a lie ends in an error or in tensors, without much memory`(name: String) async {
    await #expect(processExitsWith: .success) { [name] in
      try FieldLieTests.tellAll(name)
    }
  }

  private static func tellAll(_ name: String) throws {
    let maker = try #require(FieldLieSubject.makers[name])
    let subject = try maker()
    let directory = try TemporaryDirectory()
    for (name, bytes) in subject.companions { _ = try directory.write(bytes, as: name) }
    let file = subject.wrap(subject.bytes)
    let good = try contents(of: directory.write(file, as: "subject"))
    let before = try residentBytes("VmRSS")
    try tell(subject, good, in: directory)
    let growth = try residentBytes("VmHWM") - before
    #expect(growth <= 64 << 20 + 2 * file.count, "\(growth >> 20) MiB")
  }

  /// Tells the lies; of too many, those at equal distances.
  ///
  /// An error other than `FormatError` ends the process, and so the test.
  private static func tell(
    _ subject: FieldLieSubject, _ good: [String], in directory: TemporaryDirectory
  ) throws {
    let count = subject.fields.reduce(0) { $0 + $1.lies(in: subject.bytes).count }
    let step = subject.isSampled ? max(1, (count + limit - 1) / limit) : 1
    var (place, refused) = (0, 0)
    for field in subject.fields {
      for lie in field.lies(in: subject.bytes) {
        defer { place += 1 }
        guard place.isMultiple(of: step) else { continue }
        let forged = subject.wrap(field.replaced(in: subject.bytes, by: lie))
        do {
          let found = try contents(of: directory.write(forged, as: "subject"))
          if subject.isGuarded { #expect(found == good, "\(field.name): \(lie)") }
        } catch is FormatError {
          refused += 1
        }
      }
    }
    #expect(refused > 0 || subject.isAdvisory)
  }
}

/// Names, types, shapes and digests of all tensors of a file, each read to its end.
func contents(of path: String) throws -> [String] {
  let checkpoint = try openCheckpoint(path)
  return try checkpoint.tensors.map { "\($0.name.text) \($0.dtype) \($0.shape)" }
    + checkpoint.tensorDigests()
}

/// A figure of this process that the system keeps in KiB.
private func residentBytes(_ key: String) throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(key + ":") })
  return try #require(line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first) << 10
}
