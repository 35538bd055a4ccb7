import CKernels
import Support
import Synchronization

/// Moving the tensors and holding the copy against its source.
extension CheckpointWriter {
  /// Writes every tensor to its place, and around them what the format adds.
  ///
  /// - Returns: the CRC-32 of the tensors that are to be held against it.
  @discardableResult
  func fill(_ output: AtomicFile, _ layout: any FileLayout) throws -> [Int: UInt32] {
    if let late { return try fill(output, layout, late) }
    // A format's pages may reach into a tensor's place, so they come first where they can.
    if !layout.needsChecksums { try write(layout.framing([]), to: output) }
    let written = ProgressCounter("writing", total: totalByteCount, progress)
    let findings = Mutex(Findings())
    try parallelFor(count: tensors.count) { place in
      let index = layout.order[place]
      let copied = try copy(index, to: output, layout, written)
      findings.withLock { $0.add(copied, of: index) }
    }
    let found = findings.withLock { $0 }
    if layout.needsChecksums {
      try write(layout.framing(checksums(found, output, layout)), to: output)
    }
    return found.references
  }

  /// What copying found out of the tensors, by their places.
  struct Findings {
    /// Of those for which a checksum was taken.
    var checksums: [Int: UInt32] = [:]
    /// Of those that are to be held against it.
    var references: [Int: UInt32] = [:]
    /// The SHA-256 of those for which one was asked.
    var digests: [Int: String] = [:]

    mutating func add(_ copied: (checksum: UInt32, isReference: Bool), of index: Int) {
      checksums[index] = copied.checksum
      if copied.isReference { references[index] = copied.checksum }
    }
  }

  /// The checksums of all tensors, or of the ranges that they share; zero where none was taken.
  func checksums(
    _ found: Findings, _ output: AtomicFile, _ layout: any FileLayout
  ) throws -> [UInt32] {
    try tensors.indices.map { index in
      try layout.sharedRanges[index].map { try checksum(of: $0, in: output) }
        ?? found.checksums[index] ?? 0
    }
  }

  private func checksum(of range: Range<Int>, in output: AtomicFile) throws -> UInt32 {
    var checksum: UInt32 = 0
    try withChunk(of: min(chunkBytes, max(range.count, 16))) { buffer in
      for start in stride(from: range.lowerBound, to: range.upperBound, by: buffer.count) {
        let part = buffer.first(min(buffer.count, range.upperBound - start))
        try output.read(into: part, at: start)
        checksum = wt_crc32(checksum, part.baseAddress, part.count)
      }
    }
    return checksum
  }

  func write(_ pieces: [FramingPiece], to output: AtomicFile) throws {
    for piece in pieces {
      try piece.bytes.withUnsafeBytes { try output.write($0, at: piece.offset) }
    }
  }

  /// Moves one tensor, a chunk at a time, and checks that the source gives all of it.
  ///
  /// - Returns: the CRC-32, which is taken if the format or the comparison needs it.
  func copy(
    _ index: Int, to output: AtomicFile, _ layout: any FileLayout, _ progress: ProgressCounter
  ) throws -> (checksum: UInt32, isReference: Bool) {
    let (reader, tensor, offset) = (try source(index), tensors[index], layout.offsets[index])
    let isReference = reference == .checksums || reader.isCalculated
    let takesChecksum = layout.needsChecksums || isReference
    var (done, checksum) = (0, UInt32(0))
    try withChunk(of: min(chunkBytes, max(tensor.byteCount, 16))) { buffer in
      while case let count = try reader.read(into: buffer), count > 0 {
        guard done + count <= tensor.byteCount else { throw wrongSize(tensor, done + count) }
        let part = UnsafeRawBufferPointer(buffer.first(count))
        if takesChecksum { checksum = wt_crc32(checksum, part.baseAddress, count) }
        try output.write(part, at: offset + done)
        done += count
        progress.add(count)
      }
    }
    guard done == tensor.byteCount else { throw wrongSize(tensor, done) }
    return (checksum, isReference)
  }

  /// Opens what was written as anybody would and compares every name, type, shape and byte.
  ///
  /// - Parameter checksums: of the tensors that are held against the CRC-32 of what was written; what
  ///   was calculated is so not calculated again.
  func compare(with file: InputFile, _ checksums: [Int: UInt32]) throws {
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
        try isWritten(index, as: copy.reader(of: place), checksums[index], compared)
      else {
        throw FormatError(.readBackMismatch, file: file.path, subject: tensors[index].name.text)
      }
    }
  }

  private func isWritten(
    _ index: Int, as copy: any TensorReader, _ checksum: UInt32?, _ progress: ProgressCounter
  ) throws -> Bool {
    let size = tensors[index].byteCount
    guard let checksum else {
      return try haveEqualBytes(source(index), copy, chunk: size, progress.add)
    }
    var (done, found) = (0, UInt32(0))
    try withChunk(of: min(chunkBytes, max(size, 16))) { buffer in
      while case let count = try copy.read(into: buffer), count > 0 {
        found = wt_crc32(found, buffer.baseAddress, count)
        done += count
        progress.add(count)
      }
    }
    return done == size && found == checksum
  }
}

/// A source that gives more or fewer bytes than the tensor has.
func wrongSize(_ tensor: TensorInfo, _ found: Int) -> FormatError {
  FormatError(
    .sizeMismatch, subject: tensor.name, expected: "\(tensor.byteCount) bytes", found: "\(found)")
}
