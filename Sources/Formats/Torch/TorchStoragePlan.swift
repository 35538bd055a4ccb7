/// Which storages a torch archive to be written has, and where in them its tensors lie.
///
/// A tensor has a storage of its own unless its bytes are known to be others' too: those that
/// overlap or adjoin share one again.
struct TorchStoragePlan {
  struct Storage {
    var dtype: DType
    var byteCount: Int
    /// The tensors that lie in it, by their places in the list.
    var tensors: [Int]
  }

  private(set) var storages: [Storage] = []
  /// For each tensor its storage and where it begins there, in bytes.
  private(set) var places: [(storage: Int, offset: Int)]

  /// - Parameter shared: where the bytes of each tensor lie among others', as far as that is known.
  init(_ tensors: [TensorInfo], _ shared: [StoragePlace?]) {
    places = tensors.map { _ in (0, 0) }
    var groups: [Key: [(range: Range<Int>, tensor: Int)]] = [:]
    for (index, (tensor, place)) in zip(tensors, shared).enumerated() {
      guard let place, tensor.byteCount > 0 else { continue }
      groups[Key(storage: place.storage, dtype: tensor.dtype), default: []]
        .append((place.offset..<place.offset + tensor.byteCount, index))
    }
    var found = groups.flatMap { key, views in Self.stretches(views, key.dtype) }
      .filter { $0.storage.tensors.count > 1 }
    let known = Set(found.flatMap(\.storage.tensors))
    found += tensors.indices.filter { !known.contains($0) }.map {
      (Storage(dtype: tensors[$0].dtype, byteCount: tensors[$0].byteCount, tensors: [$0]), [0])
    }
    for (storage, offsets) in found.sorted(by: { $0.storage.tensors[0] < $1.storage.tensors[0] }) {
      for (tensor, offset) in zip(storage.tensors, offsets) {
        places[tensor] = (storages.count, offset)
      }
      storages.append(storage)
    }
  }

  private struct Key: Hashable {
    var storage: String
    var dtype: DType
  }

  /// Cuts a storage where no tensor is, so that nothing is written that nobody reads.
  private static func stretches(
    _ views: [(range: Range<Int>, tensor: Int)], _ dtype: DType
  ) -> [(storage: Storage, offsets: [Int])] {
    var stretches: [(range: Range<Int>, views: [(range: Range<Int>, tensor: Int)])] = []
    for view in views.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      if let last = stretches.last, view.range.lowerBound <= last.range.upperBound {
        let end = max(last.range.upperBound, view.range.upperBound)
        stretches[stretches.count - 1].range = last.range.lowerBound..<end
        stretches[stretches.count - 1].views.append(view)
      } else {
        stretches.append((view.range, [view]))
      }
    }
    return stretches.map { range, views in
      let views = views.sorted { $0.tensor < $1.tensor }
      return (
        Storage(dtype: dtype, byteCount: range.count, tensors: views.map(\.tensor)),
        views.map { $0.range.lowerBound - range.lowerBound }
      )
    }
  }
}
