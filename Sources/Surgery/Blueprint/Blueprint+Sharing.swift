import Formats

/// Tensors that have bytes in common in the file that they come from.
extension Blueprint {
  /// Says how many of them a format makes independent of each other; nil when there are none.
  ///
  /// Tied weights are then stored several times, and training changes each on its own.
  public func sharingNote(_ format: OutputFormat) -> String? {
    var count = 0
    for set in sharedSets where set.count > 1 {
      let storages = Set(set.map { entries[$0].storagePlace?.storage })
      let types = Set(set.map { entries[$0].info.dtype })
      let isKept =
        format.container == .torch && types.count == 1 && storages.count == 1
        && !storages.contains(nil)
      if !isKept { count += set.count }
    }
    guard count > 0 else { return nil }
    let outcome =
      format.container == .torch
      ? "some are no contiguous stretches of them, and have bytes of their own here"
      : "here each has bytes of its own"
    return "\(count) tensors share storages in their file; \(outcome)"
  }

  /// The entries that have bytes in common, set by set.
  private var sharedSets: [[Int]] {
    var known: [String: [Int: Int]] = [:]
    for source in sources {
      var sets: [Int: Int] = [:]
      for (set, places) in source.sharedTensors.enumerated() {
        for place in places { sets[place] = set }
      }
      known[source.path] = sets
    }
    var found: [String: [Int]] = [:]
    for (index, entry) in entries.enumerated() {
      guard let stored = entry.stored, let set = known[stored.checkpoint.path]?[stored.places[0]]
      else { continue }
      found["\(stored.checkpoint.path)\0\(set)", default: []].append(index)
    }
    return Array(found.values)
  }
}

extension Blueprint.Entry {
  /// Where the bytes lie, if they are a file's own.
  fileprivate var stored: StoredTensor? {
    guard case .stored(let tensor) = origin, tensor.info.dtype == info.dtype,
      tensor.info.byteCount == info.byteCount
    else { return nil }
    return tensor
  }

  var storagePlace: StoragePlace? {
    guard let stored, let place = stored.checkpoint.storagePlace(of: stored.places[0]) else {
      return nil
    }
    return StoragePlace(
      storage: stored.checkpoint.path + "\0" + place.storage, offset: place.offset)
  }
}
