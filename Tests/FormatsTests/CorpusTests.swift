import Support
import TestSupport
import Testing

@testable import Formats

/// Every row of the bad-input table through the `wt` command itself.
@Suite("Hostile files through the command")
struct CorpusTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var code: FormatError.Code
    /// Writes the file, and what belongs beside it, and gives its path.
    var lay: @Sendable (TemporaryDirectory) throws -> String

    init(
      _ kind: String, _ name: String, _ code: FormatError.Code,
      lay: @escaping @Sendable (TemporaryDirectory) throws -> String
    ) {
      testDescription = kind + " " + name
      self.code = code
      self.lay = lay
    }

    init(_ kind: String, _ name: String, _ bytes: [UInt8], _ code: FormatError.Code) {
      self.init(kind, name, code) { try $0.write(bytes, as: "hostile") }
    }
  }

  static let cases: [Case] = archives + streams + flat + shards + hdf5 + recorded + inputs

  private static let archives: [Case] =
    (PickleRowTests.streams + PickleOpcodeRowTests.rows + PickleGlobalRowTests.rows).map {
      Case("pickle", $0.testDescription, ZipBuilder.torch($0.bytes).build(), $0.code)
    }
    + TorchRowTests.rows.map { Case("torch", $0.testDescription, $0.archive.build(), $0.code) }
    + ZipRowTests.rows.map { Case("zip", $0.testDescription, $0.bytes, $0.code) }

  private static let streams: [Case] =
    TorchStreamRowTests.rows.map { Case("stream", $0.testDescription, $0.bytes, $0.code) }
    + NumpyPickleRowTests.rows.map {
      Case("numpy pickle", $0.testDescription, $0.bytes, $0.code)
    }
    + CompressionRowTests.rows.map { Case("compressed", $0.testDescription, $0.bytes, $0.code) }

  private static let flat: [Case] =
    SafeTensorsRowTests.rows.map { Case("safetensors", $0.testDescription, $0.bytes, $0.code) }
    + NpyRowTests.rows.map { Case("npy", $0.testDescription, $0.bytes, $0.code) }

  private static let shards: [Case] = ShardRowTests.rows.map { row in
    Case("shards", row.testDescription, row.code) { directory in
      let path = try ShardRowTests.lay(row.index, in: directory)
      try row.prepare(directory)
      return path
    }
  }

  private static let hdf5: [Case] =
    HDF5RowTests.rows.map { name, code in
      Case("hdf5", name, code) {
        try $0.write(InputFile(HDF5RowTests.path(name)).allBytes(), as: "hostile")
      }
    }
    + HDF5RowTests.damage.map { name, _ in
      Case("hdf5", "125 \(name)", .hdf5Error) {
        try $0.write(HDF5RowTests.damaged(name), as: "hostile")
      }
    }

  private static let recorded: [Case] = FixtureTests.refused.map { name, code in
    Case("recorded", name, code) {
      try $0.write(InputFile(Fixtures.path("refused/" + name)).allBytes(), as: "hostile")
    }
  }

  private static let inputs: [Case] = InputRowTests.rows.map { row in
    Case("input", row.testDescription, row.code) { directory in
      try row.prepare(directory.file("hostile"))
      return directory.file("hostile")
    }
  }

  /// Exit 65, the typed error, no signal, no output, at most 64 MiB and twice the file's size, and
  /// two seconds of work, under a 1 GiB address space.
  @Test(arguments: cases) func `a hostile file ends in one clear error`(row: Case) throws {
    let directory = try TemporaryDirectory()
    let path = try row.lay(directory)
    let before = try directory.entries()
    let size = (try? InputFile(path).size) ?? 0
    let limit = (64 << 20) + 2 * size
    let outcome = try Tool.run(["hash", path], in: directory)
    #expect(outcome.status == 65, "\(outcome.errors)")
    #expect(outcome.signal == 0)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains("[\(row.code.rawValue)]"), "\(outcome.errors)")
    #expect(outcome.errors.contains(directory.path))
    #expect(outcome.peakResidentBytes <= limit, "\(outcome.peakResidentBytes >> 20) MiB")
    #expect(outcome.processorSeconds < 2)
    // Other tests may take the processors away, but a wait for something would be endless.
    #expect(outcome.seconds < 30)
    #expect(try directory.entries() == before)
  }

}
