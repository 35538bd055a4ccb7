import CKernels
import Support
import Synchronization

/// Outputs with metadata that is known only when the tensors were read.
extension CheckpointWriter {
  /// One thing to do while the file is filled.
  private enum Task {
    case job(Int)
    case hash(DigestGroup)
    case copy(Int)
  }

  /// Writes every tensor, does what there is to do besides, and writes the format's own bytes last.
  func fill(
    _ output: AtomicFile, _ layout: any FileLayout, _ late: LateMetadata
  ) throws -> [Int: UInt32] {
    let written = ProgressCounter("writing", total: totalByteCount, progress)
    let findings = Mutex(Findings())
    let tasks = tasks(layout, late)
    try parallelFor(count: tasks.count) { place in
      switch tasks[place] {
      case .job(let job): try late.run(job)
      case .hash(let group):
        let (digests, checksums) = try copy(group, to: output, layout, written)
        findings.withLock { findings in
          for (index, digest) in digests { findings.digests[index] = digest }
          for (index, checksum) in checksums {
            findings.add((checksum, reference == .checksums), of: index)
          }
        }
      case .copy(let index):
        let copied = try copy(index, to: output, layout, written)
        findings.withLock { $0.add(copied, of: index) }
      }
    }
    let found = findings.withLock { $0 }
    let completed = try self.layout(late.complete(found.digests))
    precondition(completed.fileSize == layout.fileSize && completed.offsets == layout.offsets)
    try write(completed.framing(checksums(found, output, completed)), to: output)
    return found.references
  }

  /// The largest come first, so that threads end together.
  private func tasks(_ layout: any FileLayout, _ late: LateMetadata) -> [Task] {
    let hashed = Set(late.places)
    let groups = DigestGroup.groups(of: layout.order.filter(hashed.contains), in: tensors)
    let copies =
      groups.map { (Task.hash($0), $0.byteCount * $0.places.count) }
      + layout.order.filter { !hashed.contains($0) }.map { (.copy($0), tensors[$0].byteCount) }
    let order = copies.indices.sorted { (copies[$0].1, $1) > (copies[$1].1, $0) }
    return interleaved((0..<late.jobCount).map(Task.job), order.map { copies[$0].0 })
  }

  /// Spreads jobs among copies: threads wait for each other where they write, not where they hash.
  private func interleaved(_ jobs: [Task], _ copies: [Task]) -> [Task] {
    guard !jobs.isEmpty else { return copies }
    let share = (copies.count + jobs.count - 1) / jobs.count
    return jobs.indices.flatMap { place in
      let start = min(place * share, copies.count)
      return [jobs[place]] + copies[start..<min(start + share, copies.count)]
    }
  }

  private func copy(
    _ group: DigestGroup, to output: AtomicFile, _ layout: any FileLayout,
    _ progress: ProgressCounter
  ) throws -> (digests: [(Int, String)], checksums: [Int: UInt32]) {
    var checksums: [Int: UInt32] = [:]
    let digests = try group.digests(in: tensors, from: source) { place, piece, offset in
      if layout.needsChecksums || reference == .checksums {
        checksums[place] = wt_crc32(checksums[place] ?? 0, piece.baseAddress, piece.count)
      }
      try output.write(piece, at: layout.offsets[place] + offset)
      progress.add(piece.count)
    }
    return (Array(zip(group.places, digests)), checksums)
  }
}
