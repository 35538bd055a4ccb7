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
  let readers = (try left.0.reader(of: left.1), try right.0.reader(of: right.1))
  return try withChunk(of: chunkBytes) { first in
    try withChunk(of: chunkBytes) { second in
      while true {
        let counts = (try readers.0.read(into: first), try readers.1.read(into: second))
        guard counts.0 == counts.1, equal(first.first(counts.0), second.first(counts.0)) else {
          return false
        }
        if counts.0 == 0 { return true }
      }
    }
  }
}
