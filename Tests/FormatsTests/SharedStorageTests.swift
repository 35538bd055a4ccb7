import TestSupport
import Testing

@testable import Formats

/// Tensors that have bytes in common, in archives that keep that.
@Suite("Shared storages") struct SharedStorageTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func plan(_ ranges: [(offset: Int, count: Int)?]) throws -> TorchStoragePlan {
    let tensors = try ranges.enumerated().map {
      try TensorInfo(
        name: TensorName("t\($0.offset)"), dtype: .float32, shape: [$0.element?.count ?? 1])
    }
    return TorchStoragePlan(
      tensors, ranges.map { $0.map { StoragePlace(storage: "0", offset: 4 * $0.offset) } })
  }

  @Test func `what overlaps or adjoins lies together, and nothing else`() throws {
    let plan = try plan([(10, 5), nil, (0, 4), (2, 2), (4, 1), (13, 4), (30, 2)])
    #expect(plan.storages.map(\.tensors) == [[0, 5], [1], [2, 3, 4], [6]])
    #expect(plan.storages.map(\.byteCount) == [28, 4, 20, 8])
    #expect(plan.places.map(\.storage) == [0, 1, 2, 2, 2, 0, 3])
    #expect(plan.places.map(\.offset) == [0, 0, 0, 8, 16, 12, 0])
  }

  /// Also through a writer that knows its metadata only in the end.
  @Test(arguments: [false, true], ["shared", "strided", "conj_neg", "big_endian", "dtypes"])
  func `an archive keeps what its source shares`(isLate: Bool, name: String) throws {
    let source = try openCheckpoint(Fixtures.path("torch/\(name).pth"))
    let late = LateMetadata(
      places: Array(source.tensors.indices.dropFirst()), jobCount: 0, run: { _ in },
      complete: { _ in CheckpointMetadata() })
    let target = directory.file("a.pth")
    _ = try CheckpointWriter(
      source.tensors, format: OutputFormat(.torch), from: { try source.reader(of: $0) },
      shared: source.tensors.indices.map(source.storagePlace), late: isLate ? late : nil
    ).write(to: target, overwrite: false)
    let copy = try openCheckpoint(target)
    #expect(copy.tensors == source.tensors)
    for index in source.tensors.indices {
      #expect(try copy.bytes(of: index) == source.bytes(of: index))
    }
    if name == "shared" { #expect(copy.sharedTensors == source.sharedTensors) }
  }
}
