import Support
import TestSupport
import Testing

@testable import Formats

@Suite("Writing safetensors")
struct WriterTests {
  private let directory: TemporaryDirectory
  private let source: any Checkpoint
  private var target: String { directory.file("out.safetensors") }

  init() throws {
    directory = try TemporaryDirectory()
    source = try openCheckpoint(Fixtures.path("torch/plain_protocol2.pth"))
  }

  private func write(_ fileSystem: any FileSystem = POSIXFileSystem(), overwrite: Bool = true)
    throws
  {
    let source = source
    _ = try CheckpointWriter(
      source.tensors, fileSystem: fileSystem, from: { try source.reader(of: $0) }
    ).write(to: target, overwrite: overwrite)
  }

  @Test func `what is written is what was read`() throws {
    try write()
    let copy = try openCheckpoint(target)
    for (index, info) in source.tensors.enumerated() {
      let place = try #require(copy.index(of: info.name))
      #expect(try haveEqualBytes((source, index), (copy, place)))
    }
  }

  @Test func `the same tensors give the same bytes on any number of threads`() throws {
    try write()
    let first = try InputFile(target).contentHash()
    Threads.setCount(1)
    try write()
    Threads.setCount(2)
    #expect(try InputFile(target).contentHash() == first)
  }

  /// Every call that a write makes, failing in turn: the old file stays, no other is left.
  @Test(arguments: FailingFileSystem.Call.allCases, [28, 5, 122] as [Int32])
  func `a failing call loses nothing`(call: FailingFileSystem.Call, errno: Int32) throws {
    _ = try directory.write([1, 2, 3], as: "out.safetensors")
    var failures = 0
    for index in 1...100 {
      let fileSystem = FailingFileSystem(call, at: index, SystemFailure(errno: errno))
      do {
        try write(fileSystem)
        break
      } catch let error as FormatError {
        failures += 1
        #expect(error.category == .inputOutput || error.category == .outputUnavailable)
        #expect(try directory.entries() == ["out.safetensors"])
        #expect(try InputFile(target).bytes(0..<3) == [1, 2, 3])
      }
    }
    #expect(failures > 0)
  }

  @Test(arguments: FailingFileSystem.Call.allCases)
  func `an interrupted call is made again`(call: FailingFileSystem.Call) throws {
    // A close or fsync that was interrupted must not be repeated, so those fail.
    guard call != .close, call != .synchronize else { return }
    try write(FailingFileSystem(call, at: 1, SystemFailure(errno: 4)))
    #expect(try openCheckpoint(target).tensors.count == source.tensors.count)
  }

  @Test(arguments: [FailingFileSystem.Call.read, .write])
  func `short reads and writes are completed`(call: FailingFileSystem.Call) throws {
    try write(FailingFileSystem(call, at: 1, nil))
    #expect(try openCheckpoint(target).tensors.count == source.tensors.count)
  }

  @Test func `types that the format lacks are refused`() throws {
    let info = try TensorInfo(name: "a", dtype: .complex128, shape: [1])
    let error = #expect(throws: FormatError.self) {
      try SafeTensorsLayout([info], metadata: CheckpointMetadata())
    }
    #expect(error?.code == .unsupportedDtype)
  }

  @Test(arguments: ["/dev/zero", "/"]) func `only regular files are read`(path: String) {
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .notRegularFile)
  }
}
