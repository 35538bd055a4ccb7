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
