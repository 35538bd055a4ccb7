import Foundation
import TestSupport
import Testing

@testable import Formats

/// The row of the bad-input table about what stands at the input's path (131).
@Suite("Inputs that are no ordinary files")
struct InputRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var code: FormatError.Code
    /// Makes what is to be refused at a path.
    var prepare: @Sendable (String) throws -> Void

    init(
      _ name: String, _ code: FormatError.Code, prepare: @escaping @Sendable (String) throws -> Void
    ) {
      testDescription = "131 " + name
      self.code = code
      self.prepare = prepare
    }
  }

  static let rows: [Row] = [
    Row("folder", .notRegularFile) {
      try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false)
    },
    Row("FIFO", .notRegularFile) { try #require(mkfifo($0, 0o600) == 0) },
    Row("device behind a link", .notRegularFile) {
      try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "/dev/zero")
    },
    Row("no bytes", .truncated) { try lay([], at: $0) },
    Row("a terabyte of holes", .badJSON) {
      try lay([], at: $0)
      try #require(truncate($0, 1 << 40) == 0)
    },
    Row("a terabyte behind a header", .sizeMismatch) {
      let json = Array("{\(SafeTensorsRowTests.tensor())}".utf8)
      try lay(SafeTensorsRowTests.file(json, data: 4), at: $0)
      try #require(truncate($0, 1 << 40) == 0)
    },
  ]

  private static func lay(_ bytes: [UInt8], at path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: rows) func `it is refused by name`(row: Row) throws {
    let path = directory.file("hostile")
    try row.prepare(path)
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code)
    #expect(error?.file == path)
  }

  @Test func `a path's control characters are printed escaped`() throws {
    let path = try directory.write([1, 2, 3], as: "two\nlines\u{1B}[2J")
    let outcome = try Tool.run(["hash", path], in: directory)
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains("two\\u{a}lines\\u{1b}[2J"), "\(outcome.errors)")
  }

  @Test(.enabled(if: geteuid() != 0)) func `a file that may not be read is told`() throws {
    let path = try directory.write([1, 2, 3], as: "secret")
    try #require(chmod(path, 0) == 0)
    let outcome = try Tool.run(["hash", path], in: directory)
    #expect(outcome.status == 66)
    #expect(outcome.errors.contains("[notReadable]"))
  }

  @Test(arguments: [
    "torch/plain_protocol2.pth", "torch/deflated.pth", "safetensors/dtypes.safetensors",
    "legacy/views.pth", "npz/stored.npz", "npy/version1.npy", "numpy/contiguous_protocol5.pkl",
  ])
  func `a file that shrinks after it was opened is noticed`(name: String) throws {
    let bytes = try InputFile(Fixtures.path(name)).allBytes()
    let path = try directory.write(bytes, as: "shrinking")
    let checkpoint = try openCheckpoint(path)
    try directory.cut("shrinking", to: 60)
    #expect(throws: FormatError.self) { try checkpoint.checkUnchanged() }
    let error = #expect(throws: FormatError.self) { try checkpoint.tensorDigests() }
    #expect(error?.code == .fileChanged)
  }
}
