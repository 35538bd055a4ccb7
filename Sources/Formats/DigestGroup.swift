import Support

/// Tensors of one size, whose SHA-256 are taken side by side.
public struct DigestGroup: Sendable {
  /// Their places in the list they come from.
  public let places: [Int]
  public let byteCount: Int

  /// So few are faster one after another.
  private static let fewest = 4

  /// Puts tensors of equal size together, in the order given.
  public static func groups(of places: [Int], in tensors: [TensorInfo]) -> [DigestGroup] {
    var open: [Int: [Int]] = [:]
    var groups: [DigestGroup] = []
    for place in places {
      let size = tensors[place].byteCount
      open[size, default: []].append(place)
      if let full = open[size], full.count == ContentHashLanes.most {
        groups.append(DigestGroup(places: full, byteCount: size))
        open[size] = nil
      }
    }
    return groups
      + open.sorted { $0.key > $1.key }.map { DigestGroup(places: $1, byteCount: $0) }
  }

  /// Reads the tensors and returns their digests, in the order of `places`.
  ///
  /// - Parameter visit: gets every piece with the tensor's place and the piece's own in the tensor.
  /// - Throws: what reading and visiting throw, and `FormatError` with code `sizeMismatch`.
  func digests(
    in tensors: [TensorInfo], from source: TensorSource,
    visit: (_ place: Int, _ piece: UnsafeRawBufferPointer, _ offset: Int) throws -> Void
  ) throws -> [String] {
    var digests: [Int: String] = [:]
    var together: [(place: Int, reader: any TensorReader)] = []
    for place in places {
      let reader = try source(place)
      // Readers that hold their whole tensor are not opened side by side.
      if ContentHashLanes.pays, places.count >= Self.fewest, reader.isStreaming {
        together.append((place, reader))
      } else {
        var hash = ContentHash()
        try each(tensors[place], reader) { piece, offset in
          hash.update(piece)
          try visit(place, piece, offset)
        }
        digests[place] = hash.hexDigest()
      }
    }
    if !together.isEmpty {
      for (place, digest) in try sideBySide(together, tensors, visit) { digests[place] = digest }
    }
    return places.map { digests[$0] ?? "" }
  }

  private func each(
    _ tensor: TensorInfo, _ reader: any TensorReader,
    _ visit: (UnsafeRawBufferPointer, Int) throws -> Void
  ) throws {
    var done = 0
    try withChunk(of: min(chunkBytes, max(byteCount, 16))) { buffer in
      while case let count = try reader.read(into: buffer), count > 0 {
        guard done + count <= byteCount else { throw wrongSize(tensor, done + count) }
        try visit(UnsafeRawBufferPointer(buffer.first(count)), done)
        done += count
      }
    }
    guard done == byteCount else { throw wrongSize(tensor, done) }
  }

  private func sideBySide(
    _ lanes: [(place: Int, reader: any TensorReader)], _ tensors: [TensorInfo],
    _ visit: (Int, UnsafeRawBufferPointer, Int) throws -> Void
  ) throws -> [(Int, String)] {
    var hash = ContentHashLanes(count: lanes.count)
    let size = max(16, min(chunkBytes / 4, byteCount))
    try withChunk(of: size * lanes.count) { buffer in
      for start in stride(from: 0, to: byteCount, by: size) {
        let count = min(size, byteCount - start)
        let pieces = try lanes.indices.map { lane in
          let part = UnsafeMutableRawBufferPointer(
            rebasing: buffer[lane * size..<lane * size + count])
          let found = try lanes[lane].reader.read(into: part)
          guard found == count else { throw wrongSize(tensors[lanes[lane].place], start + found) }
          return UnsafeRawBufferPointer(part)
        }
        hash.update(pieces)
        for (lane, piece) in zip(lanes, pieces) { try visit(lane.place, piece, start) }
      }
      for lane in lanes {
        let excess = try lane.reader.read(into: buffer.first(16))
        guard excess == 0 else { throw wrongSize(tensors[lane.place], byteCount + excess) }
      }
    }
    return zip(lanes, hash.hexDigests()).map { ($0.place, $1) }
  }
}

extension Checkpoint {
  /// The SHA-256 of the packed bytes of a group of its tensors.
  ///
  /// - Throws: `FormatError` when one cannot be read.
  public func digests(of group: DigestGroup) throws -> [String] {
    try group.digests(in: tensors, from: { try reader(of: $0) }, visit: { _, _, _ in })
  }
}
