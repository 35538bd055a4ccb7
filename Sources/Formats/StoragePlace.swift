/// Where a tensor's bytes lie among bytes that other tensors may have as well.
///
/// Tied weights and slices of one array are such tensors.
public struct StoragePlace: Sendable, Hashable {
  /// The same for all tensors of one storage, and for none of another.
  public var storage: String
  /// Where the tensor begins, in bytes.
  public var offset: Int

  public init(storage: String, offset: Int) {
    self.storage = storage
    self.offset = offset
  }
}
