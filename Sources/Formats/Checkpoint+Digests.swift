import Support
import Synchronization

extension Checkpoint {
  /// The SHA-256 of each tensor's packed bytes, in the order of `tensors`.
  public func tensorDigests(_ progress: @escaping ProgressHandler = { _ in }) throws -> [String] {
    let counter = ProgressCounter("hashing", total: totalByteCount, progress)
    let digests = Mutex([String](repeating: "", count: tensors.count))
    try parallelFor(count: tensors.count) { index in
      var hash = ContentHash()
      let reader = try reader(of: index)
      try withChunk(of: chunkBytes) { buffer in
        while case let count = try reader.read(into: buffer), count > 0 {
          hash.update(UnsafeRawBufferPointer(buffer.first(count)))
          counter.add(count)
        }
      }
      let digest = hash.hexDigest()
      digests.withLock { $0[index] = digest }
    }
    return digests.withLock { $0 }
  }
}

/// Whether two tensors of the same size hold the same bytes.
///
/// - Throws: `FormatError` when one cannot be read.
public func haveEqualBytes(
  _ left: (any Checkpoint, Int), _ right: (any Checkpoint, Int)
) throws -> Bool {
  try haveEqualBytes(
    left.0.reader(of: left.1), right.0.reader(of: right.1),
    chunk: left.0.tensors[left.1].byteCount)
}

/// Whether two readers hand out the same bytes, `chunk` or `chunkBytes` of them at a time.
func haveEqualBytes(
  _ left: any TensorReader, _ right: any TensorReader, chunk: Int,
  _ progress: (Int) -> Void = { _ in }
) throws -> Bool {
  let size = min(chunkBytes, max(chunk, 16))
  return try withChunk(of: size) { first in
    try withChunk(of: size) { second in
      while true {
        let counts = (try left.read(into: first), try right.read(into: second))
        guard counts.0 == counts.1, equal(first.first(counts.0), second.first(counts.0)) else {
          return false
        }
        if counts.0 == 0 { return true }
        progress(counts.0)
      }
    }
  }
}
