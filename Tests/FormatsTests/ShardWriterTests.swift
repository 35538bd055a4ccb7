import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Writing shards") struct ShardWriterTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func writer(
    tensors count: Int, shardBytes: Int, _ fileSystem: any FileSystem = POSIXFileSystem()
  ) throws -> CheckpointWriter {
    let tensors = try (0..<count).map {
      try TensorInfo(name: TensorName("t\($0)"), dtype: .uint8, shape: [4])
    }
    return CheckpointWriter(
      tensors, format: OutputFormat(shardBytes: shardBytes), fileSystem: fileSystem,
      from: { _ in ArrayReader([1, 2, 3, 4]) })
  }

  @Test func `more shards than can be read are not written`() throws {
    let target = directory.file("a.safetensors")
    let error = #expect(throws: FormatError.self) {
      try writer(tensors: Budgets.shards + 1, shardBytes: 1).write(to: target, overwrite: true)
    }
    #expect(error?.code == .outputUnavailable)
    #expect(error?.remedy?.contains("--shard-size") == true)
    #expect(try directory.entries().isEmpty)
  }

  @Test func `a wrong bit is noticed in every shard and in the index`() throws {
    for index in 1...100 {
      let fileSystem = FailingFileSystem(.write, .flip(at: index))
      let writer = try writer(tensors: 3, shardBytes: 4, fileSystem)
      do {
        _ = try writer.write(to: directory.file("a.safetensors"), overwrite: true)
        #expect(!fileSystem.hasFailed, "write \(index)")
        return
      } catch {
        #expect(try directory.entries().isEmpty, "write \(index)")
      }
    }
    Issue.record("a hundred writes for three tensors")
  }
}
