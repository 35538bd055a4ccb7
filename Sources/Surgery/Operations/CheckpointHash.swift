import Formats
import Support

/// The SHA-256 of a checkpoint's content, whatever container, order and metadata it has.
///
/// A tensor's digest is over its bytes, packed, C order, little-endian. The whole's is over, for each
/// tensor in the order of its name's bytes: the name's length and bytes, the dtype's, the rank and
/// extents, all lengths as 64-bit little-endian, and the tensor's digest in hexadecimal digits.
public struct CheckpointHash: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var name: TensorName
    public var digest: String
  }

  /// In the order of the names' bytes.
  public var tensors: [Entry]
  public var content: String

  /// - Throws: `FormatError` when a tensor cannot be read.
  public init(_ checkpoint: any Checkpoint, progress: @escaping ProgressHandler = { _ in }) throws {
    self.init(checkpoint.tensors, try checkpoint.tensorDigests(progress))
  }

  /// - Parameter digests: those of the tensors' bytes, in the same order.
  init(_ infos: [TensorInfo], _ digests: [String]) {
    let order = infos.indices.sorted { infos[$0].name < infos[$1].name }
    var hash = ContentHash()
    for index in order {
      let info = infos[index]
      hash.update(UInt64(info.name.text.utf8.count))
      hash.update(info.name.text)
      hash.update(UInt64(info.dtype.rawValue.utf8.count))
      hash.update(info.dtype.rawValue)
      hash.update(UInt64(info.shape.count))
      for extent in info.shape { hash.update(UInt64(extent)) }
      hash.update(digests[index])
    }
    tensors = order.map { Entry(name: infos[$0].name, digest: digests[$0]) }
    content = hash.hexDigest()
  }
}
