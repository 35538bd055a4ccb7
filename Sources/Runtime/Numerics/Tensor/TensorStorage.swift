import Support

/// Owns one piece of memory that tensors look at.
public final class TensorStorage: @unchecked Sendable {
  // Sendable, as both fields never change; who may write the memory is the tensors' business.
  let address: UnsafeMutableRawPointer
  let byteCount: Int
  private let release: @Sendable (UnsafeMutableRawPointer, Int) -> Void
  private let unloadFile: (@Sendable () -> Void)?

  /// - Parameters:
  ///   - unload: gives memory that can be read again from its file back to the system.
  ///   - release: called once with address and size when the last tensor is gone.
  init(
    _ address: UnsafeMutableRawPointer, byteCount: Int, unload: (@Sendable () -> Void)? = nil,
    release: @escaping @Sendable (UnsafeMutableRawPointer, Int) -> Void
  ) {
    self.address = address
    self.byteCount = byteCount
    self.release = release
    unloadFile = unload
  }

  /// Keeps numbers that are not needed for now out of memory, if they can be had again: parameters that
  /// lie in a file and that nobody writes to.
  func unload() { unloadFile?() }

  deinit { release(address, byteCount) }
}
