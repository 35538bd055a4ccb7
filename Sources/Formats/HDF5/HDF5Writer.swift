import Support

/// Fills an output with a complete HDF5 file, which then only needs to be committed.
///
/// A tensor whose type HDF5 has no name for (BF16, the 8-bit floats) is stored as the unsigned
/// integers of its bits, with an attribute `wt.dtype` that says what they are.
///
/// - Parameters:
///   - tensors: what to write, in any order; the file's own order is `HDF5Names`'.
///   - output: a new file; without compression it may be created with `HDF5Layout`'s size.
///   - source: where each tensor's bytes come from; each is asked for once.
/// - Throws: `FormatError`; with code `ioError` when the output cannot be written.
public func writeHDF5(
  _ tensors: [TensorInfo], metadata: CheckpointMetadata, compression: HDF5Compression,
  to output: AtomicFile, progress: @escaping ProgressHandler = { _ in },
  from source: TensorSource
) throws {
  let written = ProgressCounter(
    "writing", total: tensors.reduce(0) { $0 + $1.byteCount }, progress)
  guard compression == .none else {
    let writer = try HDF5ChunkWriter(tensors, compression, output, written)
    return try writer.run(metadata, from: source)
  }
  let layout = try HDF5Layout(tensors, metadata: metadata)
  try layout.writeStructure(to: output)
  try parallelFor(count: tensors.count) { place in
    let index = layout.order[place]
    try copy(source(index), tensors[index], to: output, at: layout.offsets[index], written)
  }
}
