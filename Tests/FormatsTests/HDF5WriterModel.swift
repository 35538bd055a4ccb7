import Support
import TestSupport

@testable import Formats

/// Tensors of every type and of shapes that are cut in different ways, with made-up bytes.
struct HDF5WriterModel: Sendable {
  var tensors: [TensorInfo] = []
  var contents: [[UInt8]] = []

  static func shared() throws -> HDF5WriterModel { try made.get() }
  private static let made = Result { try HDF5WriterModel() }

  private init() throws {
    for dtype in DType.allCases where dtype.byteWidth != nil {
      try add("types.\(dtype.rawValue)", dtype, [40, 3, 11])
    }
    try add("scalar", .float32, [])
    try add("empty", .float16, [0, 4])
    try add("a.b.c.deep", .int64, [5])
    // Cut along the first, the second and the last dimension, and not evenly.
    try add("large.first", .float32, [301, 1000])
    try add("large.second", .bfloat16, [2, 1031, 700])
    try add("large.last", .uint8, [2, 1_100_001])
  }

  private mutating func add(_ name: String, _ dtype: DType, _ shape: [Int]) throws {
    let info = try TensorInfo(name: TensorName(name), dtype: dtype, shape: shape)
    var state = UInt64(contents.count) &+ 1
    let isBool = dtype == .bool
    contents.append(
      (0..<info.byteCount).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33) & (isBool ? 1 : 0x3F)
      })
    tensors.append(info)
  }

  func source(_ index: Int) -> any TensorReader { BytesReader(contents[index][...]) }
}

/// Fills an output as `CheckpointWriter` does, without its read-back and its renaming.
func writeHDF5(
  _ tensors: [TensorInfo], metadata: CheckpointMetadata, compression: HDF5Compression,
  to output: AtomicFile, progress: @escaping ProgressHandler = { _ in },
  from source: @escaping TensorSource
) throws {
  guard compression == .none else {
    let written = ProgressCounter("writing", total: 0, progress)
    return try HDF5ChunkWriter(
      tensors, OutputFormat(.hdf5, chunkCompression: compression), output, written
    ).run(metadata, from: source)
  }
  let writer = CheckpointWriter(
    tensors, metadata: metadata, format: OutputFormat(.hdf5), progress: progress, from: source)
  try writer.fill(output, HDF5Layout(tensors, metadata: metadata))
}
