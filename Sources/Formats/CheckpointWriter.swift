import Support

/// What a finished output is.
public struct WriteSummary: Sendable, Equatable {
  public var path: String
  public var byteCount: Int
  public var tensorCount: Int
}

/// Gives the bytes of the tensor at a place of the list being written.
///
/// It is asked twice for each tensor: to write it, and to compare what was written. Calls come from
/// several threads.
public typealias TensorSource = @Sendable (_ index: Int) throws -> any TensorReader

/// Writes a safetensors file, reads it back, and lets it appear under its name only when every
/// byte is as it should be.
///
/// - Parameters:
///   - tensors: what to write, in any order; the file's own order is `SafeTensorsLayout`'s.
///   - source: where each tensor's bytes come from.
///   - overwrite: whether an existing target may be replaced.
///   - validate: called after everything was compared, before the file gets its name.
/// - Throws: `FormatError`; the target is then what it was before.
public func writeSafeTensors(
  _ tensors: [TensorInfo], metadata: CheckpointMetadata, to target: String, overwrite: Bool,
  fileSystem: any FileSystem = POSIXFileSystem(), progress: @escaping ProgressHandler = { _ in },
  validate: () throws -> Void = {}, from source: TensorSource
) throws -> WriteSummary {
  let layout = try SafeTensorsLayout(tensors, metadata: metadata)
  let output = try AtomicFile(
    target: target, size: layout.fileSize, overwrite: overwrite, fileSystem: fileSystem)
  let total = tensors.reduce(0) { $0 + $1.byteCount }
  try layout.header.withUnsafeBytes { try output.write($0, at: 0) }

  let written = ProgressCounter("writing", total: total, progress)
  try parallelFor(count: tensors.count) { place in
    let index = layout.order[place]
    try copy(source(index), tensors[index], to: output, at: layout.offsets[index], written)
  }
  let compared = ProgressCounter("reading back", total: total, progress)
  let readBack = try SafeTensorsFile(InputFile(output.temporary, fileSystem: fileSystem))
  try check(readBack, tensors, layout)
  try parallelFor(count: tensors.count) { place in
    let index = layout.order[place]
    try compare(source(index), readBack.reader(of: place), tensors[index], compared)
  }
  try validate()
  try output.commit()
  return WriteSummary(path: target, byteCount: layout.fileSize, tensorCount: tensors.count)
}

/// Moves one tensor, a chunk at a time, and checks that the source gives all of it.
func copy(
  _ reader: any TensorReader, _ tensor: TensorInfo, to output: AtomicFile, at offset: Int,
  _ progress: ProgressCounter
) throws {
  var done = 0
  try withChunk(of: chunkBytes) { buffer in
    while true {
      let count = try reader.read(into: buffer)
      guard count > 0 else { break }
      guard done + count <= tensor.byteCount else { throw wrongSize(tensor, done + count) }
      try output.write(UnsafeRawBufferPointer(buffer.first(count)), at: offset + done)
      done += count
      progress.add(count)
    }
  }
  guard done == tensor.byteCount else { throw wrongSize(tensor, done) }
}

func wrongSize(_ tensor: TensorInfo, _ found: Int) -> FormatError {
  FormatError(
    .sizeMismatch, subject: tensor.name, expected: "\(tensor.byteCount) bytes", found: "\(found)")
}

/// Compares the header that was read back with what was asked for.
private func check(
  _ copy: SafeTensorsFile, _ tensors: [TensorInfo], _ layout: SafeTensorsLayout
) throws {
  guard copy.tensors == layout.order.map({ tensors[$0] }) else {
    throw FormatError(.readBackMismatch, file: copy.path, subject: "header")
  }
}

private func compare(
  _ source: any TensorReader, _ copy: any TensorReader, _ tensor: TensorInfo,
  _ progress: ProgressCounter
) throws {
  try withChunk(of: chunkBytes) { first in
    try withChunk(of: chunkBytes) { second in
      while true {
        let counts = (try source.read(into: first), try copy.read(into: second))
        guard counts.0 == counts.1, equal(first.first(counts.0), second.first(counts.0)) else {
          throw FormatError(.readBackMismatch, subject: tensor.name)
        }
        if counts.0 == 0 { return }
        progress.add(counts.0)
      }
    }
  }
}
