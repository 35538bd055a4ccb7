import Foundation
import Support
import TestSupport
import Testing

@testable import Datasets
@testable import Formats

@Suite("Files of training data")
struct DatasetTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  struct Stack: Decodable {
    var `case`: Int
    var centre: Int
    var slices: Int
    var images: String
    var labels: String
  }

  @Test(arguments: ["stack.h5", "none.h5"])
  func `stacks of a file that h5py wrote are what numpy makes of it`(name: String) throws {
    let list = URL(fileURLWithPath: Fixtures.path("datasets/datasets.json"))
    let expected = try #require(
      try JSONDecoder().decode([String: [Stack]].self, from: Data(contentsOf: list))[name])
    #expect(expected.count == 30)
    let file = try DatasetFile(path: Fixtures.path("datasets/" + name))
    #expect(file.classNames == ["liver", "left kidney", "Gefäß"])
    #expect(file.cases.map(\.name) == ["case.one", "case two", "third"])
    #expect(file.cases.map(\.split) == [.train, .test, .validation])
    #expect(file.cases.map(\.channels) == [1, 3, 1])
    #expect(file.cases[0].geometry.affine[0, 3] == -5)
    #expect(file.cases[0].sources.map(\.name) == ["image one.nii", "label.nii"])
    for stack in expected {
      let found = try file.readStack(case: stack.case, centre: stack.centre, slices: stack.slices)
      #expect(digest(bytes(of: found.images)) == stack.images, "\(stack)")
      #expect(digest(found.labels) == stack.labels, "\(stack)")
    }
  }

  private func digest(_ bytes: [UInt8]) -> String {
    var hash = ContentHash()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.hexDigest()
  }

  private static let geometry = DatasetGeometry(
    shape: [30, 20, 4], spacing: [0.5, 0.7, 2], affine: Affine(diagonal: [0.5, 0.7, -2]))

  private func description(
    _ names: [String] = ["a.b", "c"], channels: Int = 1, side: Int = 20
  ) -> DatasetDescription {
    DatasetDescription(
      classNames: ["one", "two"], profile: "{name: \"mine\"}",
      cases: names.map {
        DatasetCase(
          name: $0, split: .train, slices: 4, channels: channels, height: side, width: 30,
          normalisation: .none, geometry: Self.geometry,
          sources: [DatasetSource(name: "\($0) scan.nii", digest: "ab")])
      })
  }

  private func write(
    _ description: DatasetDescription, as name: String = "data.h5",
    image: @escaping @Sendable (Int, Int) -> Float = { Float($0 % 97) / 97 + Float($1) },
    label: @escaping @Sendable (Int, Int) -> UInt8 = { UInt8(($0 + $1) % 3) }
  ) throws -> String {
    let path = directory.file(name)
    try DatasetWriter(description, toolVersion: "test").write(to: path, overwrite: true) { place in
      let item = description.cases[place]
      let pixels = item.height * item.width
      return DatasetWriter.Slices(
        image: { slice in (0..<item.channels * pixels).map { image($0, slice) } },
        labels: { slice in (0..<pixels).map { label($0, slice) } })
    }
    return path
  }

  @Test(arguments: [1, 3], [2, 20, 400])
  func `what was written is read`(channels: Int, side: Int) throws {
    let description = description(channels: channels, side: side)
    let file = try DatasetFile(path: write(description))
    #expect(file.description == description)
    for index in 0..<2 {
      let stack = try file.readStack(case: index, centre: 0, slices: 3)
      let pixels = side * 30
      #expect(
        stack.labels == [0, 0, 1].flatMap { slice in (0..<pixels).map { UInt8(($0 + slice) % 3) } })
      var expected: [Float] = []
      for slice in [0, 0, 1] {
        for channel in [0, channels == 3 ? 1 : 0, channels == 3 ? 2 : 0] {
          let start = channel * pixels
          expected += (start..<start + pixels).map { Float($0 % 97) / 97 + Float(slice) }
        }
      }
      #expect(stack.images == expected)
    }
  }

  @Test func `a lone case may have no sources`() throws {
    var description = description(["only"])
    description.cases[0].sources = []
    #expect(try DatasetFile(path: write(description)).description == description)
  }

  @Test func `every chunk is one slice`() throws {
    let path = try write(description(channels: 3, side: 400))
    let checkpoint = try #require(try openCheckpoint(path) as? HDF5Checkpoint)
    for dataset in checkpoint.datasets {
      guard case .chunked(let chunks) = dataset.storage else {
        Issue.record("\(dataset.info.name) has no chunks")
        continue
      }
      #expect(chunks.shape == [1] + dataset.info.shape.dropFirst())
      #expect(chunks.filters.contains(.zstd))
    }
  }

  @Test func `the same cases give the same bytes`() throws {
    let first = try InputFile(write(description())).contentHash()
    #expect(try InputFile(write(description(), as: "again.h5")).contentHash() == first)
  }

  @Test func `labels beyond the classes and numbers that are none are refused`() throws {
    let labels = try DatasetFile(
      path: write(description(), label: { place, _ in place == 7 ? 3 : 0 }))
    let error = #expect(throws: DatasetError.self) {
      try labels.readStack(case: 1, centre: 2, slices: 5)
    }
    #expect(error?.code == .labelOutOfRange && error?.subject == "c")
    let images = try DatasetFile(path: write(description(), image: { $1 == 3 ? .nan : Float($0) }))
    _ = try images.readStack(case: 0, centre: 1, slices: 3)
    let nan = #expect(throws: DatasetError.self) {
      try images.readStack(case: 0, centre: 1, slices: 5)
    }
    #expect(nan?.code == .notFinite)
  }

  @Test func `cases whose names would fall together are refused`() {
    for names in [["a.b", "a_b"], ["a", "a"], [""], ["a\nb"]] {
      let error = #expect(throws: DatasetError.self) { try write(description(names)) }
      #expect(error?.code == .badDataset)
    }
    #expect(!FileManager.default.fileExists(atPath: directory.file("data.h5")))
  }

  @Test func `files that are no datasets are refused`() throws {
    let names = ["safetensors/metadata.safetensors", "hdf5/layouts.h5"]
    for name in names {
      let error = #expect(throws: DatasetError.self) {
        try DatasetFile(path: Fixtures.path(name))
      }
      #expect(error?.code == .notADataset)
    }
  }

  /// Two tensors and the attributes of a dataset, changed.
  private func forged(
    _ change: (inout [TensorInfo], inout CheckpointMetadata) -> Void
  ) throws -> DatasetError? {
    var tensors = [
      try TensorInfo(name: "cases.a.images", dtype: .float32, shape: [4, 1, 20, 30]),
      try TensorInfo(name: "cases.a.labels", dtype: .uint8, shape: [4, 20, 30]),
    ]
    var metadata = DatasetMetadata.entries(description(["a"]), version: "test")
    change(&tensors, &metadata)
    let (infos, path) = (tensors, directory.file("forged.h5"))
    let writer = CheckpointWriter(
      infos, metadata: metadata, format: OutputFormat(.hdf5),
      from: { BytesReader([UInt8](repeating: 0, count: infos[$0].byteCount)[...]) })
    _ = try writer.write(to: path, overwrite: true)
    do {
      _ = try DatasetFile(path: path)
      return nil
    } catch let error as DatasetError { return error }
  }

  @Test func `tensors that do not fit are refused`() throws {
    #expect(try forged { _, _ in } == nil)
    let shapes: [(Int, DType, [Int])] = [
      (0, .float32, [4, 2, 20, 30]), (0, .float32, [4, 20, 30]), (0, .float64, [4, 1, 20, 30]),
      (0, .float32, [3, 1, 20, 30]), (1, .uint8, [4, 30, 20]), (1, .int8, [4, 20, 30]),
      (0, .float32, [0, 1, 20, 30]), (0, .float32, [4, 1, 8193, 1]),
    ]
    for (place, dtype, shape) in shapes {
      let error = try forged { tensors, _ in
        if let info = try? TensorInfo(name: tensors[place].name, dtype: dtype, shape: shape) {
          tensors[place] = info
        }
      }
      #expect(error?.code == .badDataset, "\(shape)")
    }
    #expect(try forged { tensors, _ in tensors.removeLast() }?.code == .badDataset)
    let surplus = try forged { tensors, _ in
      if let info = try? TensorInfo(name: "cases.b.labels", dtype: .uint8, shape: [1]) {
        tensors.append(info)
      }
    }
    #expect(surplus?.subject == "cases.b.labels")
  }

  @Test func `attributes that do not fit are refused`() throws {
    let lies: [(String, String?)] = [
      ("wt.cases", "a\nb"), ("wt.cases", ""), ("wt.splits", "holdout"),
      ("wt.splits", "train\ntest"),
      ("wt.shapes", "1 2"), ("wt.shapes", "1 2 -3"), ("wt.spacings", "1 2 x"),
      ("wt.affines", "1 2 3"), ("wt.affines", "nan 0 0 0 0 1 0 0 0 0 1 0"), ("wt.sources", "word"),
      ("wt.normalisations", "max"), ("wt.class_names", ""), ("wt.profile", nil),
      ("wt.class_names", Array(repeating: "c", count: 255).joined(separator: "\n")),
    ]
    for (key, value) in lies {
      let error = try forged { $1[key] = value }
      #expect(error?.code == .badDataset, "\(key) \(value ?? "none")")
    }
    #expect(try forged { $1["wt.format"] = "wt dataset 2" }?.code == .notADataset)
  }
}
