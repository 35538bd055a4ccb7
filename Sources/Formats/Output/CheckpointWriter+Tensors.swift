import CKernels
import Support
import Synchronization

/// Moving the tensors and holding the copy against its source.
extension CheckpointWriter {
  /// Writes every tensor to its place, and around them what the format adds.
  func fill(_ output: AtomicFile, _ layout: any FileLayout) throws {
    if let late { return try fill(output, layout, late) }
    // A format's pages may reach into a tensor's place, so they come first where they can.
    if !layout.needsChecksums { try write(layout.framing([]), to: output) }
    let written = ProgressCounter("writing", total: totalByteCount, progress)
    let checksums = Mutex([UInt32](repeating: 0, count: tensors.count))
    try parallelFor(count: tensors.count) { place in
      let index = layout.order[place]
      let checksum = try copy(
        index, to: output, at: layout.offsets[index], layout.needsChecksums, written)
      checksums.withLock { $0[index] = checksum }
    }
    if layout.needsChecksums {
      try write(layout.framing(checksums.withLock { $0 }), to: output)
    }
  }

  func write(_ pieces: [FramingPiece], to output: AtomicFile) throws {
    for piece in pieces {
      try piece.bytes.withUnsafeBytes { try output.write($0, at: piece.offset) }
    }
  }

  /// Moves one tensor, a chunk at a time, and checks that the source gives all of it.
  func copy(
    _ index: Int, to output: AtomicFile, at offset: Int, _ needsChecksum: Bool,
    _ progress: ProgressCounter
  ) throws -> UInt32 {
    let (reader, tensor) = (try source(index), tensors[index])
    var (done, checksum) = (0, UInt32(0))
    try withChunk(of: min(chunkBytes, max(tensor.byteCount, 16))) { buffer in
      while case let count = try reader.read(into: buffer), count > 0 {
        guard done + count <= tensor.byteCount else { throw wrongSize(tensor, done + count) }
        let part = UnsafeRawBufferPointer(buffer.first(count))
        if needsChecksum { checksum = wt_crc32(checksum, part.baseAddress, count) }
        try output.write(part, at: offset + done)
        done += count
        progress.add(count)
      }
    }
    guard done == tensor.byteCount else { throw wrongSize(tensor, done) }
    return checksum
  }

  /// Opens what was written as anybody would and compares every name, type, shape and byte.
  func compare(with file: InputFile) throws {
    let copy = try openCheckpoint(file, options: CheckpointOptions(allowsExpansion: true))
    var places: [TensorName: Int] = [:]
    for (place, tensor) in copy.tensors.enumerated() { places[tensor.name] = place }
    guard copy.tensors.count == tensors.count else {
      throw FormatError(
        .readBackMismatch, file: file.path, expected: "\(tensors.count) tensors",
        found: "\(copy.tensors.count)")
    }
    let compared = ProgressCounter("reading back", total: totalByteCount, progress)
    let order = tensors.indices.map { places[tensors[$0].name] }
    try parallelFor(count: tensors.count) { index in
      guard let place = order[index], copy.tensors[place] == tensors[index],
        try haveEqualBytes(
          source(index), copy.reader(of: place), chunk: tensors[index].byteCount, compared.add)
      else {
        throw FormatError(.readBackMismatch, file: file.path, subject: tensors[index].name.text)
      }
    }
  }
}

/// A source that gives more or fewer bytes than the tensor has.
func wrongSize(_ tensor: TensorInfo, _ found: Int) -> FormatError {
  FormatError(
    .sizeMismatch, subject: tensor.name, expected: "\(tensor.byteCount) bytes", found: "\(found)")
}
