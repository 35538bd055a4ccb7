import Support
import TestSupport
import Testing

@testable import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Writing HDF5")
struct HDF5WriterTests {
  static let compressions: [HDF5Compression] = [
    .none, .gzip(level: 1), .gzip(level: 9), .zstd(level: 3),
  ]

  private let directory: TemporaryDirectory
  private var target: String { directory.file("out.h5") }
  private let metadata = CheckpointMetadata([
    .init(key: "wt.family", value: "sam é"), .init(key: "empty", value: ""),
    .init(key: "long", value: String(repeating: "x", count: 100_000)),
  ])

  init() throws { directory = try TemporaryDirectory() }

  private func write(
    _ model: HDF5WriterModel, _ compression: HDF5Compression,
    _ fileSystem: any FileSystem = POSIXFileSystem(),
    check: (HDF5Checkpoint) throws -> Void = { _ in }
  ) throws {
    let output = try AtomicFile(
      target: target, size: 0, overwrite: true, fileSystem: fileSystem)
    try writeHDF5(
      model.tensors, metadata: metadata, compression: compression, to: output,
      from: { model.source($0) })
    try check(HDF5Checkpoint(InputFile(output.temporary)))
    try output.commit()
  }

  @Test(arguments: compressions)
  func `what is written is what was given`(compression: HDF5Compression) throws {
    let model = try HDF5WriterModel.shared()
    let order = try HDF5Names(model.tensors).order
    try write(model, compression) { copy in
      #expect(copy.tensors == order.map { model.tensors[$0] })
      #expect(copy.metadata.entries.map(\.key) == ["empty", "long", "wt.family"])
      for entry in metadata.entries { #expect(copy.metadata[entry.key] == entry.value) }
      for (place, index) in order.enumerated() {
        let bytes = try copy.bytes(of: place)
        #expect(bytes == model.contents[index], "\(copy.tensors[place].name)")
      }
      #expect(copy.notes.isEmpty)
    }
    #expect(try directory.entries() == ["out.h5"])
  }

  /// A heap of 4,096 bytes has no header for free space of less than 16; what follows it here would be
  /// a length beyond all bounds.
  @Test(arguments: 4040...4064)
  func `a text may fill its heap to any byte`(length: Int) throws {
    let info = try TensorInfo(name: TensorName("w"), dtype: .float64, shape: [64])
    let bytes = [UInt8]((0..<64).flatMap { _ in [0, 0, 0, 0, 0, 0, 0xF0, 0xBF] })
    let text = CheckpointMetadata([
      .init(key: "text", value: String(repeating: "x", count: length))
    ])
    let output = try AtomicFile(
      target: target, size: 0, overwrite: true, fileSystem: POSIXFileSystem())
    try writeHDF5(
      [info], metadata: text, compression: .none, to: output,
      from: { _ in BytesReader(bytes[...]) })
    try output.commit()
    let copy = try HDF5Checkpoint(InputFile(target))
    #expect(copy.metadata == text && copy.tensors == [info])
    let read = try copy.bytes(of: 0)
    #expect(read == bytes)
  }

  @Test(arguments: compressions)
  func `the same tensors give the same bytes, whatever their order and the threads`(
    compression: HDF5Compression
  ) throws {
    var model = try HDF5WriterModel.shared()
    try write(model, compression)
    let first = try InputFile(target).contentHash()
    model.tensors.reverse()
    model.contents.reverse()
    Threads.setCount(1)
    try write(model, compression)
    Threads.setCount(2)
    #expect(try InputFile(target).contentHash() == first)
  }

  @Test func `a layout tells size and places beforehand`() throws {
    let model = try HDF5WriterModel.shared()
    let layout = try HDF5Layout(model.tensors, metadata: metadata)
    try write(model, .none)
    let file = try InputFile(target)
    #expect(file.size == layout.fileSize)
    for (index, tensor) in model.tensors.enumerated() where tensor.byteCount > 0 {
      let start = layout.offsets[index]
      #expect(try file.bytes(start..<start + tensor.byteCount) == model.contents[index])
    }
  }

  @Test func `compression makes a file smaller`() throws {
    let model = try HDF5WriterModel.shared()
    try write(model, .none)
    let plain = try InputFile(target).size
    for compression in Self.compressions.dropFirst() {
      try write(model, compression)
      #expect(try InputFile(target).size < plain * 9 / 10)
    }
  }

  @Test(arguments: [
    ([""], FormatError.Code.nameLimit), (["."], .nameLimit), ([".."], .nameLimit),
    (["a..b"], .nameLimit), ([".a"], .nameLimit), (["a."], .nameLimit), (["a/b"], .nameLimit),
    (["a\0"], .nameLimit), (["a", "a.b"], .nameLimit), (["a.b.c", "a-b", "a.b"], .nameLimit),
    (["a", "b", "a"], .duplicateName),
    ([Array(repeating: "a", count: 65).joined(separator: ".")], .nameLimit),
    ([String(repeating: "a", count: 65_536)], .nameLimit),
  ])
  func `names that groups cannot spell are refused`(names: [String], code: FormatError.Code) throws
  {
    let tensors = try names.map {
      try TensorInfo(name: TensorName($0), dtype: .float32, shape: [1])
    }
    let error = #expect(throws: FormatError.self) {
      try HDF5Layout(tensors, metadata: CheckpointMetadata())
    }
    #expect(error?.code == code)
    #expect(error?.subject != nil)
    #expect(code != .nameLimit || error?.remedy != nil || names[0].utf8.count > 60)
  }

  @Test(arguments: [
    ("a-b", "a.b"), ("a", "ab"), ("a.b", "a-b.c"), ("e\u{301}", "é"),
  ])
  func `names that merely look alike are written`(first: String, second: String) throws {
    let names = [first, second]
    let tensors = try names.map {
      try TensorInfo(name: TensorName($0), dtype: .uint8, shape: [1])
    }
    let output = try AtomicFile(target: target, size: 0, overwrite: true)
    try writeHDF5(
      tensors, metadata: CheckpointMetadata(), compression: .none, to: output,
      from: { BytesReader([UInt8($0)][...]) })
    let copy = try HDF5Checkpoint(InputFile(output.temporary))
    for (index, tensor) in tensors.enumerated() {
      let place = try #require(copy.index(of: tensor.name))
      #expect(try copy.bytes(of: place) == [UInt8(index)])
    }
  }

  @Test func `what HDF5 cannot hold is refused by name`() throws {
    func code(
      _ tensor: TensorInfo, _ metadata: CheckpointMetadata = CheckpointMetadata()
    ) -> FormatError.Code? {
      let error = #expect(throws: FormatError.self) {
        try HDF5Layout([tensor], metadata: metadata)
      }
      return error?.code
    }
    #expect(code(try TensorInfo(name: "a", dtype: .float4, shape: [2])) == .unsupportedDtype)
    let ones = [Int](repeating: 1, count: 33)
    #expect(code(try TensorInfo(name: "a", dtype: .uint8, shape: ones)) == .rankLimit)
    let good = try TensorInfo(name: "a", dtype: .uint8, shape: [])
    #expect(code(good, CheckpointMetadata([.init(key: "", value: "")])) == .badMetadata)
    #expect(code(good, CheckpointMetadata([.init(key: "a", value: "\0")])) == .badMetadata)
    let twice = [CheckpointMetadata.Entry](repeating: .init(key: "a", value: "b"), count: 2)
    #expect(code(good, CheckpointMetadata(twice)) == .duplicateKey)
  }

  /// Every write, those of the library among them, failing in turn.
  @Test(arguments: compressions) func `a failing write leaves nothing`(
    compression: HDF5Compression
  ) throws {
    var model = try HDF5WriterModel.shared()
    // The large ones again only take time.
    model.tensors.removeLast(2)
    model.contents.removeLast(2)
    _ = try directory.write([1, 2, 3], as: "out.h5")
    var failures = 0
    for index in 1...1000 {
      let fileSystem = FailingFileSystem(.write, .failure(SystemFailure(errno: ENOSPC), at: index))
      do {
        try write(model, compression, fileSystem)
        break
      } catch let error as FormatError {
        failures += 1
        #expect(error.code == .ioError)
        #expect(error.description.contains("No space left"))
        #expect(try directory.entries() == ["out.h5"])
        #expect(try InputFile(target).bytes(0..<3) == [1, 2, 3])
      }
    }
    #expect((10..<1000).contains(failures))
  }

  @Test(arguments: [28, 5] as [Int32]) func `a source that fails leaves nothing`(
    errno: Int32
  ) throws {
    let model = try HDF5WriterModel.shared()
    for compression in Self.compressions {
      let output = try AtomicFile(target: target, size: 0, overwrite: true)
      let error = #expect(throws: FormatError.self) {
        try writeHDF5(
          model.tensors, metadata: metadata, compression: compression, to: output,
          from: {
            if $0 == 5 { throw FormatError(.ioError, found: "\(errno)") }
            return model.source($0)
          })
      }
      #expect(error?.code == .ioError)
      output.discard()
      #expect(try directory.entries().isEmpty)
    }
  }

  @Test(arguments: compressions) func `a source of another size is refused`(
    compression: HDF5Compression
  ) throws {
    let model = try HDF5WriterModel.shared()
    for change in [-1, 1] {
      let output = try AtomicFile(target: target, size: 0, overwrite: true)
      let error = #expect(throws: FormatError.self) {
        try writeHDF5(
          model.tensors, metadata: metadata, compression: compression, to: output,
          from: { index in
            let bytes = model.contents[index]
            return BytesReader(change < 0 ? bytes.dropLast() : (bytes + [0])[...])
          })
      }
      #expect(error?.code == .sizeMismatch)
    }
  }

  /// The system's own limit instead of an injected failure.
  @Test(arguments: [0, 2]) func `a full disk is an input-output error`(place: Int) async {
    await #expect(processExitsWith: .success) { [place] in
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 1 << 20, rlim_max: rlim_t.max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let directory = try TemporaryDirectory()
      let model = try HDF5WriterModel.shared()
      let error = #expect(throws: FormatError.self) {
        let output = try AtomicFile(
          target: directory.file("out.h5"), size: 0, overwrite: true)
        try writeHDF5(
          model.tensors, metadata: CheckpointMetadata(),
          compression: HDF5WriterTests.compressions[place], to: output,
          from: { model.source($0) })
      }
      // What the process writes at its end, such as a coverage profile, must not be cut.
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let entries = try directory.entries()
      guard error?.code == .ioError, entries.isEmpty else { exit(1) }
    }
  }
}
