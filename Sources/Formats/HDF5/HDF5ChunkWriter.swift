import CHDF5
import CKernels
import Support
import Synchronization

/// Writes tensors in chunks: read one after another, compressed side by side, stored in order.
final class HDF5ChunkWriter {
  private let tensors: [TensorInfo]
  private let names: HDF5Names
  private let plans: [HDF5ChunkPlan?]
  private let progress: ProgressCounter
  private let storage: HDF5Output
  private let driverFile: HDF5DriverFile
  private var waiting: [Chunk] = []
  /// The CRC-32 of the tensors that were calculated, by their places.
  private(set) var calculated: [Int: UInt32] = [:]
  /// Few, so that memory stays small; enough to keep every thread busy.
  private let mostWaiting = 2 * Threads.count

  /// A chunk that was read and is to be compressed.
  private struct Chunk: Sendable {
    var tensor: Int
    var plan: HDF5ChunkPlan
    var place: [Int]
    var bytes: [UInt8]
  }

  /// - Throws: `FormatError` with code `unsupportedDtype`, `rankLimit`, `nameLimit` or
  ///   `duplicateName`.
  init(
    _ tensors: [TensorInfo], _ format: OutputFormat, _ output: AtomicFile,
    _ progress: ProgressCounter
  ) throws {
    names = try HDF5Names(tensors)
    for tensor in tensors { try HDF5Layout.check(tensor) }
    self.tensors = tensors
    self.progress = progress
    plans = tensors.map {
      HDF5ChunkPlan($0, format.chunkCompression, cutsFirstAxis: format.chunksFirstAxis)
    }
    storage = HDF5Output(output)
    driverFile = HDF5DriverFile(storage)
  }

  /// Writes everything and completes the file.
  func run(_ metadata: CheckpointMetadata, from source: TensorSource) throws {
    let builder = try HDF5Library.run { try HDF5Builder(driverFile) }
    do {
      let offsets = try HDF5Library.run { try structure(metadata, builder) }
      for index in names.order {
        let reader = try source(index)
        if let plan = plans[index] {
          try cut(reader, index, plan, builder)
        } else {
          try writeWhole(reader, index, at: offsets[index])
        }
      }
      try writeWaiting(builder)
    } catch {
      HDF5Library.run { try? builder.close() }
      throw error
    }
    try HDF5Library.run { try builder.close() }
  }

  private func structure(
    _ metadata: CheckpointMetadata, _ builder: HDF5Builder
  ) throws -> [Int] {
    try builder.add(metadata)
    var offsets = [Int](repeating: 0, count: tensors.count)
    for index in names.order {
      offsets[index] = try builder.addDataset(
        tensors[index], path: names.paths[index], plans[index])
    }
    return offsets
  }

  /// Writes a tensor that is too small for chunks.
  private func writeWhole(
    _ reader: any TensorReader, _ index: Int, at offset: Int
  ) throws {
    let count = tensors[index].byteCount
    let bytes = try read(count, from: reader, index, padded: count)
    try checkEnd(reader, tensors[index])
    guard !bytes.isEmpty else { return }
    try HDF5Library.run { try bytes.withUnsafeBytes { try storage.write($0, at: offset) } }
    progress.add(bytes.count)
  }

  private func cut(
    _ reader: any TensorReader, _ index: Int, _ plan: HDF5ChunkPlan, _ builder: HDF5Builder
  ) throws {
    for chunk in 0..<plan.chunkCount {
      let (place, count) = plan.chunk(chunk)
      let bytes = try read(count, from: reader, index, padded: plan.byteCount)
      waiting.append(Chunk(tensor: index, plan: plan, place: place, bytes: bytes))
      progress.add(count)
      if waiting.count == mostWaiting { try writeWaiting(builder) }
    }
    try checkEnd(reader, tensors[index])
  }

  /// The next bytes of a tensor, with zeros behind them up to the size of a chunk.
  private func read(
    _ count: Int, from reader: any TensorReader, _ index: Int, padded size: Int
  ) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    let found = try bytes.withUnsafeMutableBytes { try reader.read(into: $0.first(count)) }
    guard found == count else { throw wrongSize(tensors[index], found) }
    if reader.isCalculated { calculated[index] = wt_crc32(calculated[index] ?? 0, bytes, count) }
    return bytes
  }

  private func checkEnd(_ reader: any TensorReader, _ tensor: TensorInfo) throws {
    var surplus: [UInt8] = [0]
    let found = try surplus.withUnsafeMutableBytes { try reader.read(into: $0) }
    guard found == 0 else { throw wrongSize(tensor, tensor.byteCount + found) }
  }

  private func writeWaiting(_ builder: HDF5Builder) throws {
    let chunks = waiting
    waiting = []
    let encoded = Mutex([[UInt8]](repeating: [], count: chunks.count))
    try parallelFor(count: chunks.count) { place in
      let bytes = try chunks[place].plan.encode(chunks[place].bytes)
      encoded.withLock { $0[place] = bytes }
    }
    let results = encoded.withLock { $0 }
    try HDF5Library.run {
      for (chunk, bytes) in zip(chunks, results) { try write(bytes, chunk, builder) }
    }
  }

  private func write(_ bytes: [UInt8], _ chunk: Chunk, _ builder: HDF5Builder) throws {
    let dataset = try HDF5Library.check(
      H5Dopen2(builder.file, names.paths[chunk.tensor], wt_H5P_DEFAULT), "open a dataset")
    defer { HDF5Library.close(dataset) }
    try HDF5Library.check(
      H5Dwrite_chunk(
        dataset, wt_H5P_DEFAULT, 0, chunk.place.map { hsize_t($0) }, bytes.count, bytes),
      "write a chunk")
  }
}
