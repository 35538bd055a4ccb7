import Support

/// Owns one piece of memory that tensors look at.
public final class TensorStorage: @unchecked Sendable {
  // Sendable, as both fields never change; who may write the memory is the tensors' business.
  let address: UnsafeMutableRawPointer
  let byteCount: Int
  private let release: @Sendable (UnsafeMutableRawPointer, Int) -> Void

  /// - Parameter release: called once with address and size when the last tensor is gone.
  init(
    _ address: UnsafeMutableRawPointer, byteCount: Int,
    release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
  ) {
    self.address = address
    self.byteCount = byteCount
    self.release = release
  }

  deinit { release(address, byteCount) }
}
