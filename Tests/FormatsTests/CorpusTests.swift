import Support
import TestSupport
import Testing

@testable import Formats

/// Every row of the bad-input table through the `wt` command itself.
@Suite("Hostile files through the command")
struct CorpusTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code
  }

  static let cases: [Case] =
    PickleRowTests.streams.map {
      Case(
        testDescription: "pickle " + $0.testDescription,
        bytes: ZipBuilder.torch($0.bytes).build(), code: $0.code)
    }
    + TorchRowTests.rows.map {
      Case(
        testDescription: "torch " + $0.testDescription, bytes: $0.archive.build(), code: $0.code)
    }
    + ZipRowTests.rows.map {
      Case(testDescription: "zip " + $0.testDescription, bytes: $0.bytes, code: $0.code)
    }
    + SafeTensorsRowTests.rows.map {
      Case(testDescription: "safetensors " + $0.testDescription, bytes: $0.bytes, code: $0.code)
    }
    + CompressionRowTests.rows.map {
      Case(testDescription: "compressed " + $0.testDescription, bytes: $0.bytes, code: $0.code)
    }

  /// Exit 65, the typed error, no signal, no output, at most 64 MiB and twice the file's size, and
  /// two seconds, under a 1 GiB address space.
  @Test(arguments: cases) func `a hostile file ends in one clear error`(row: Case) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile")
    // A machine that is busy may be slow once, not twice.
    let limit = 64 << 20 + 2 * row.bytes.count
    var outcome = try Tool.run(["hash", path], in: directory)
    if outcome.seconds >= 2 { outcome = try Tool.run(["hash", path], in: directory) }
    #expect(outcome.status == 65, "\(outcome.errors)")
    #expect(outcome.signal == 0)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains("[\(row.code.rawValue)]"), "\(outcome.errors)")
    #expect(outcome.errors.contains(path))
    #expect(outcome.peakResidentBytes <= limit, "\(outcome.peakResidentBytes >> 20) MiB")
    #expect(outcome.seconds < 2)
    #expect(try directory.entries() == ["hostile"])
  }
}
