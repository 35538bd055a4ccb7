import Support
import TestSupport
import Testing

@testable import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The rows of the bad-input table about HDF5, and what else the format must not be allowed.
@Suite("Hostile HDF5") struct HDF5RowTests {
  static let rows: [(String, FormatError.Code)] = [
    ("soft_link", .forbiddenHDF5Feature), ("external_link", .forbiddenHDF5Feature),
    ("user_link", .forbiddenHDF5Feature), ("external_storage", .forbiddenHDF5Feature),
    ("virtual", .forbiddenHDF5Feature), ("filter_lz4", .forbiddenHDF5Feature),
    ("filter_blosc", .forbiddenHDF5Feature), ("filter_lzf", .forbiddenHDF5Feature),
    ("filter_scale_offset", .forbiddenHDF5Feature), ("type_reference", .forbiddenHDF5Feature),
    ("type_region", .forbiddenHDF5Feature), ("type_text", .unsupportedType),
    ("type_fixed_text", .unsupportedType), ("type_opaque", .unsupportedType),
    ("type_sequence", .unsupportedType), ("type_enumeration", .unsupportedType),
    ("type_long_enumeration", .unsupportedType), ("type_compound", .unsupportedType),
    ("type_mixed", .unsupportedType), ("type_padded", .unsupportedType),
    ("type_array", .unsupportedType), ("type_float128", .unsupportedType),
    ("type_committed", .unsupportedType), ("type_null", .unsupportedType),
    ("number_bfloat", .unsupportedType), ("number_bias", .unsupportedType),
    ("number_precision", .unsupportedType), ("number_offset", .unsupportedType),
    ("number_three_bytes", .unsupportedType), ("huge", .expansionLimit),
    ("huge_unwritten", .expansionLimit), ("huge_chunk", .expansionLimit),
    ("huge_overflow", .overflow), ("rank33", .rankLimit), ("deep", .depthLimit),
    ("many_chunks", .entryLimit), ("collision", .duplicateName), ("dtype_name", .unsupportedDtype),
    ("bad_name", .invalidUTF8),
  ]

  static func path(_ name: String) -> String {
    Fixtures.path("hdf5/refused/\(name).h5")
  }

  @Test(arguments: rows) func `a hostile file is refused by name`(
    name: String, code: FormatError.Code
  ) {
    let error = #expect(throws: FormatError.self) { try openCheckpoint(Self.path(name)) }
    #expect(error?.code == code)
    #expect(error?.file == Self.path(name))
    #expect(error?.subject != nil)
  }

  /// Row 125: a good file, spoiled before the library could be asked.
  static let damage: [(name: String, change: @Sendable ([UInt8]) -> [UInt8])] = [
    ("signature alone", { Array($0.prefix(8)) }),
    ("superblock of version 9", { $0.prefix(8) + [9] + $0.dropFirst(9) }),
    ("noise behind the signature", { $0.prefix(8) + (0..<2_000).map { UInt8(($0 * 167) & 0xFF) } }),
    ("half of the file", { Array($0.prefix($0.count / 2)) }),
    ("one byte less", { Array($0.dropLast()) }),
    ("a root group elsewhere", { Array($0.prefix(64)) + [0xFF, 0xFF] + $0.dropFirst(66) }),
  ]

  static func damaged(_ name: String) throws -> [UInt8] {
    let change = try #require(damage.first { $0.name == name }).change
    return change(try InputFile(Fixtures.path("hdf5/nested.h5")).allBytes())
  }

  @Test(arguments: damage.map(\.name)) func `a damaged file is refused (125)`(name: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.damaged(name), as: "hostile")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .hdf5Error)
    #expect(error?.file == path)
  }

  @Test func `every refused file has its row`() throws {
    let names = try directoryEntries(Fixtures.path("hdf5/refused"))
    #expect(names == Self.rows.map { $0.0 + ".h5" }.sorted())
  }

  /// The link and the dataset of these files name a file elsewhere.
  ///
  /// It is made a pipe without a writer, at which whoever opens it waits forever.
  @Test(.timeLimit(.minutes(5)), arguments: ["external_link", "external_storage"])
  func `no other file is opened`(name: String) throws {
    let directory = try TemporaryDirectory()
    let pipe = directory.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    var bytes = try InputFile(Self.path(name)).allBytes()
    let placeholder = Array((String(repeating: "/", count: 100) + "elsewhere").utf8)
    let padded = Array(
      (String(repeating: "/", count: placeholder.count - pipe.utf8.count) + pipe).utf8)
    let place = try #require(
      bytes.indices.first { bytes[$0...].starts(with: placeholder) }, "no placeholder")
    bytes.replaceSubrange(place..<place + padded.count, with: padded)
    let error = #expect(throws: FormatError.self) {
      let checkpoint = try openCheckpoint(directory.write(bytes, as: "a.h5"))
      _ = try checkpoint.tensorDigests()
    }
    #expect(error?.code == .forbiddenHDF5Feature)
  }

  @Test func `cyclic hard links are walked once and told`() throws {
    let checkpoint = try openCheckpoint(Fixtures.path("hdf5/links.h5"))
    #expect(checkpoint.tensors.map(\.name.text) == ["group.data", "group.same"])
    #expect(checkpoint.notes.contains { $0.contains("3 link(s)") && $0.contains("'group.root'") })
  }

  @Test func `names that are equal to the eye alone are two`() throws {
    let checkpoint = try openCheckpoint(Fixtures.path("hdf5/normal_forms.h5"))
    let names: [TensorName] = ["cafe\u{301}", "caf\u{e9}"]
    #expect(checkpoint.tensors.map(\.name) == names)
    #expect(try checkpoint.bytes(of: 0) == [2])
    #expect(try checkpoint.bytes(of: 1) == [1])
  }

  @Test(arguments: ["nested", "nested_new"])
  func `the root group's text is the metadata`(name: String) throws {
    let checkpoint = try openCheckpoint(Fixtures.path("hdf5/\(name).h5"))
    #expect(
      checkpoint.metadata.entries == [
        .init(key: "fixed", value: "fixed"),
        .init(key: "long", value: String(repeating: "x", count: 5000)),
        .init(key: "nothing", value: ""), .init(key: "text", value: "varying é"),
      ])
    #expect(checkpoint.notes == ["1 attribute(s) of the file are no text and were left out"])
  }

  @Test func `a file of a newer library is refused with advice, or read`() throws {
    do {
      let checkpoint = try openCheckpoint(Fixtures.path("hdf5/newer.h5"))
      #expect(checkpoint.tensors.map(\.dtype) == [.bool])
      #expect(try checkpoint.bytes(of: 0) == [1])
    } catch let error as FormatError {
      #expect(error.code == .hdf5Error)
      #expect(error.remedy?.contains("libver") == true)
    }
  }

  @Test func `a fill value may be blown up when that is allowed`() throws {
    let checkpoint = try openCheckpoint(
      Self.path("huge_unwritten"), options: CheckpointOptions(allowsExpansion: true))
    let reader = try checkpoint.reader(of: 0)
    var bytes = [UInt8](repeating: 1, count: chunkBytes)
    let count = try bytes.withUnsafeMutableBytes { try reader.read(into: $0) }
    #expect(count == chunkBytes)
    #expect(bytes.allSatisfy { $0 == 0 })
  }

  @Test func `a key is refused where there are no parts`() {
    let error = #expect(throws: FormatError.self) {
      try openCheckpoint(
        Fixtures.path("hdf5/nested.h5"), options: CheckpointOptions(key: "block"))
    }
    #expect(error?.code == .keyNotFound)
  }

  @Test func `a file that shrinks is noticed`() throws {
    let directory = try TemporaryDirectory()
    let bytes = try InputFile(Fixtures.path("hdf5/chunked.h5")).allBytes()
    let path = try directory.write(bytes, as: "a.h5")
    let checkpoint = try openCheckpoint(path)
    truncate(path, 4096)
    #expect(throws: FormatError.self) { try checkpoint.checkUnchanged() }
    let error = #expect(throws: FormatError.self) { try checkpoint.tensorDigests() }
    #expect(error?.code == .fileChanged)
  }

  @Test(arguments: [5, 12] as [Int32]) func `a failing read keeps its reason`(errno: Int32) throws {
    var failures = 0
    for index in 1...10_000 {
      let fileSystem = FailingFileSystem(.read, .failure(SystemFailure(errno: errno), at: index))
      do {
        _ = try openCheckpoint(Fixtures.path("hdf5/chunked.h5"), fileSystem: fileSystem)
          .tensorDigests()
        break
      } catch let error as FormatError {
        failures += 1
        #expect(error.code == .ioError)
      }
    }
    #expect((20..<10_000).contains(failures))
  }

  @Test func `several threads read several files`() throws {
    let names = ["chunked", "chunked_new", "nested", "nested_new", "dtypes", "layouts"]
    let expected = try names.map {
      try openCheckpoint(Fixtures.path("hdf5/\($0).h5")).tensorDigests()
    }
    try parallelFor(count: 60) { place in
      let index = place % names.count
      let found = try openCheckpoint(Fixtures.path("hdf5/\(names[index]).h5")).tensorDigests()
      #expect(found == expected[index])
    }
  }
}

extension InputFile {
  func allBytes() throws -> [UInt8] { try bytes(0..<size) }
}

/// The names of a directory's files, sorted.
func directoryEntries(_ path: String) throws -> [String] {
  guard let directory = opendir(path) else { throw SystemFailure(errno: errno) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if !name.hasPrefix(".") { names.append(name) }
  }
  return names.sorted()
}
