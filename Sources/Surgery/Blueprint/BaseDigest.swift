import Formats
import Support
import Synchronization

/// The content hash of a base, taken while something else is made of it.
///
/// Most of a base goes into that as it is, so its tensors are hashed while they are copied; the rest
/// is read for the hash alone.
public final class BaseDigest: Sendable {
  /// As long as a digest, it stands in the metadata until the digest is known.
  static let placeholder = String(repeating: "0", count: 64)

  private let base: PlannedCheckpoint
  private let expected: String?
  private let digests: Mutex<[String?]>

  /// - Parameters:
  ///   - expected: what the hash has to be, if anything.
  init(_ base: Blueprint, expected: String?) {
    self.base = PlannedCheckpoint(base, path: base.sources.first?.path ?? "")
    self.expected = expected
    digests = Mutex(Array(repeating: nil, count: base.entries.count))
  }

  /// The base, each of whose stored tensors tells where in it it belongs.
  func marked(_ base: Blueprint) -> Blueprint {
    var marked = base
    for place in base.entries.indices {
      guard case .stored(var tensor) = base.entries[place].origin else { continue }
      tensor.recorded = (self, place)
      marked.entries[place].origin = .stored(tensor)
    }
    return marked
  }

  /// How to find the hash while some tensors are written.
  ///
  /// - Parameter complete: makes the metadata of the hash.
  func late(
    _ entries: [Blueprint.Entry],
    _ complete: @escaping @Sendable (_ hash: String) -> CheckpointMetadata
  ) -> LateMetadata {
    let places = copied(entries)
    let known = Set(places.values)
    let rest = groups(base.tensors.indices.filter { !known.contains($0) })
    return LateMetadata(
      places: places.keys.sorted(), jobCount: rest.count, run: { try self.take(rest[$0]) },
      complete: { found in
        self.digests.withLock { digests in
          for (place, digest) in found {
            if let origin = places[place] { digests[origin] = digest }
          }
        }
        return complete(try self.content())
      })
  }

  /// Which entries are tensors of the base as they are, and where in it.
  private func copied(_ entries: [Blueprint.Entry]) -> [Int: Int] {
    var places: [Int: Int] = [:]
    for (place, entry) in entries.enumerated() {
      if case .stored(let tensor) = entry.origin, let recorded = tensor.recorded,
        recorded.base === self
      {
        places[place] = recorded.place
      }
    }
    return places
  }

  /// The content hash, for which what was not hashed yet is read.
  ///
  /// - Throws: `SurgeryError` with code `wrongBase`, or what reading throws.
  func content() throws -> String {
    let rest = digests.withLock { digests in digests.indices.filter { digests[$0] == nil } }
    let groups = groups(rest)
    try parallelFor(count: groups.count) { try take(groups[$0]) }
    let hash = CheckpointHash(base.tensors, digests.withLock { $0.map { $0 ?? "" } }).content
    guard expected == nil || expected == hash else {
      throw SurgeryError(
        .wrongBase, file: base.path, expected: "content hash \(expected?.shortened() ?? "")",
        found: hash,
        remedy: "give the base it was trained on, or use this one with --allow-different-base")
    }
    return hash
  }

  private func groups(_ places: [Int]) -> [DigestGroup] {
    DigestGroup.groups(of: places, in: base.tensors)
  }

  private func take(_ group: DigestGroup) throws {
    let found = try base.digests(of: group)
    digests.withLock { digests in
      for (place, digest) in zip(group.places, found) { digests[place] = digest }
    }
  }
}
