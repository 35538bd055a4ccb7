import Foundation
import TestSupport
import Testing

@testable import Formats

/// Every system call of an import or export, failing in turn: nothing is lost, nothing is left.
@Suite("Failing system calls")
struct FaultTests {
  static let outputs: [(name: String, format: OutputFormat)] = [
    ("out.safetensors", OutputFormat(.safeTensors)), ("out.pth", OutputFormat(.torch)),
    ("sharded.safetensors", OutputFormat(.safeTensors, shardBytes: 40)),
    ("out.h5", OutputFormat(.hdf5)),
    ("out.safetensors.zst", OutputFormat(.safeTensors, isCompressed: true)),
  ]

  /// ENOSPC, EIO and EDQUOT.
  static let errnos: [Int32] = [28, 5, 122]

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func convert(
    to name: String, _ format: OutputFormat, _ fileSystem: any FileSystem
  ) throws {
    let source = try openCheckpoint(
      Fixtures.path("torch/plain_protocol2.pth"), fileSystem: fileSystem)
    _ = try CheckpointWriter(
      source.tensors, format: format, fileSystem: fileSystem,
      from: { try source.reader(of: $0) }
    ).write(to: directory.file(name), overwrite: true, validate: { try source.checkUnchanged() })
  }

  /// Every file of the directory with its bytes.
  private func contents() throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in try directory.entries() {
      contents[name] = FileManager.default.contents(atPath: directory.file(name))
    }
    return contents
  }

  /// What a good run writes, and the old files in their place that it would replace.
  private func prepare(_ name: String, _ format: OutputFormat) throws -> (
    good: [String: Data], old: [String: Data]
  ) {
    try convert(to: name, format, POSIXFileSystem())
    let good = try contents()
    for file in good.keys { _ = try directory.write([1, 2, 3], as: file) }
    return (good, try contents())
  }

  @Test(arguments: outputs.map(\.name), FailingFileSystem.Call.ofConversions)
  func `a failing call loses nothing`(name: String, call: FailingFileSystem.Call) throws {
    let format = try #require(Self.outputs.first { $0.name == name }).format
    let (good, old) = try prepare(name, format)
    var failures = 0
    for index in 1...2000 {
      let errno = Self.errnos[index % Self.errnos.count]
      let system = FailingFileSystem(call, .failure(SystemFailure(errno: errno), at: index))
      do {
        try convert(to: name, format, system)
        #expect(try contents() == good)
        for file in good.keys { _ = try directory.write([1, 2, 3], as: file) }
      } catch let error as FormatError {
        failures += 1
        #expect(error.category == .inputOutput, "\(error)")
        // Only when the new names could not be made durable are the new files there.
        let isInPlace = call == .synchronizeDirectory
        #expect(try contents() == (isInPlace ? good : old), "\(call) \(index)")
        if isInPlace {
          for file in good.keys { _ = try directory.write([1, 2, 3], as: file) }
        }
      }
      guard system.hasFailed else { break }
      #expect(index < 2000, "more calls than tried")
    }
    #expect(failures > 0 || (call == .link && format.shardBytes == nil))
  }

  @Test(arguments: outputs.map(\.name), FailingFileSystem.Call.ofConversions)
  func `an interrupted call is made again`(name: String, call: FailingFileSystem.Call) throws {
    // A close or fsync that was interrupted must not be repeated, so those fail.
    guard ![.close, .synchronize, .synchronizeDirectory].contains(call) else { return }
    let format = try #require(Self.outputs.first { $0.name == name }).format
    let (good, _) = try prepare(name, format)
    for index in 1...2000 {
      let system = FailingFileSystem(call, .failure(SystemFailure(errno: 4), at: index))
      try convert(to: name, format, system)
      #expect(try contents() == good)
      guard system.hasFailed else { break }
    }
  }

  @Test(arguments: outputs.map(\.name), [FailingFileSystem.Call.read, .write])
  func `short reads and writes are completed`(name: String, call: FailingFileSystem.Call) throws {
    let format = try #require(Self.outputs.first { $0.name == name }).format
    let (good, _) = try prepare(name, format)
    try convert(to: name, format, FailingFileSystem(call, .short))
    #expect(try contents() == good)
  }

  @Test(arguments: [FailingFileSystem.Call.create, .write, .read])
  func `a failing scratch file is told and leaves nothing`(call: FailingFileSystem.Call) throws {
    try convert(
      to: "a.zst", OutputFormat(.safeTensors, isCompressed: true), POSIXFileSystem())
    let scratch = try TemporaryDirectory()
    var options = CheckpointOptions()
    options.scratchDirectory = scratch.path
    let system = FailingFileSystem(call, .failure(SystemFailure(errno: 28), at: 1))
    let error = #expect(throws: FormatError.self) {
      try openCheckpoint(directory.file("a.zst"), options: options, fileSystem: system)
    }
    #expect(error?.code == .ioError)
    #expect(try scratch.entries().isEmpty)
  }
}
