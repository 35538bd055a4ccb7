import Formats
import Support

/// Something wrong with a source, and where.
public struct SourceFault: Sendable, Equatable {
  public var path: String
  public var text: String

  public init(_ path: String, _ text: String) {
    self.path = path
    self.text = text
  }
}

/// What is wrong with a case, found by reading all of it.
struct SourceCheck {
  /// Of a voxel's smallest side: how far apart the places of image and label may be.
  private static let tolerance = 0.1
  /// Values that are told of one file.
  private static let mostValues = 20

  let profile: Profile

  /// - Returns: the case's grid and sources, nil when it cannot be used; and what is wrong.
  func check(_ item: SourceCase, split: DatasetSplit) -> (DatasetCase?, [SourceFault]) {
    var faults: [SourceFault] = []
    let rule = profile.rule(for: item.name)
    let image = attempt(item.image.path, &faults) { try item.image.scan() }
    if let image {
      attempt(item.image.path, &faults) { try checkFinite(image) }.map { faults += $0 }
      if rule == nil {
        faults.append(
          SourceFault(
            item.image.path, "no intensity rule of the profile is for a case of this name"))
      }
    }
    guard let data = item.labels else {
      return (nil, faults + [SourceFault(item.image.path, "an image without labels")])
    }
    let labels = attempt(data.path, &faults) { try data.labels() }
    if let labels {
      attempt(data.path, &faults) { try checkValues(labels) }.map { faults += $0 }
      if let image { faults += compare(image, labels) }
    }
    guard let image, faults.isEmpty else { return (nil, faults) }
    let sources = attempt(item.image.path, &faults) {
      item.image.path == data.path
        ? [try item.image.source()] : [try item.image.source(), try data.source()]
    }
    let prepared = DatasetCase(
      name: item.name, split: split, slices: image.slices, channels: image.channels,
      height: profile.size ?? image.height, width: profile.size ?? image.width,
      normalisation: rule?.remaining ?? .none, geometry: image.geometry, sources: sources ?? [])
    return (prepared, faults)
  }

  private func attempt<Result>(
    _ path: String, _ faults: inout [SourceFault], _ body: () throws -> Result
  ) -> Result? {
    do {
      return try body()
    } catch {
      // The path stands in front of every fault already.
      let text = "\(error)"
      let prefix = path.escapedForDisplay + ": "
      let fault = SourceFault(
        path, text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text)
      // Images and labels may be in one file, which is at fault once.
      if !faults.contains(fault) { faults.append(fault) }
      return nil
    }
  }

  private func checkFinite(_ scan: any Scan) throws -> [SourceFault] {
    var count = 0
    for slice in 0..<scan.slices {
      for number in try scan.plane(slice) where !number.isFinite { count += 1 }
    }
    return count == 0 ? [] : [SourceFault(scan.path, "\(count) intensities are not finite")]
  }

  private func checkValues(_ labels: any LabelScan) throws -> [SourceFault] {
    var counts: [Int: Int] = [:]
    let table = profile.labels.table()
    for slice in 0..<labels.slices {
      for label in try labels.plane(slice) where table[label] == nil {
        counts[label, default: 0] += 1
      }
    }
    guard !counts.isEmpty else { return [] }
    let values = counts.keys.sorted().prefix(Self.mostValues).map {
      "\(LabelMap.text($0)) (\(counts[$0] ?? 0) voxels)"
    }
    let more = counts.count > Self.mostValues ? " and \(counts.count - Self.mostValues) more" : ""
    return [
      SourceFault(
        labels.path,
        "labels that the profile does not know: " + values.joined(separator: ", ") + more)
    ]
  }

  private func compare(_ image: any Scan, _ labels: any LabelScan) -> [SourceFault] {
    let (own, other) = (
      [image.width, image.height, image.slices], [labels.width, labels.height, labels.slices]
    )
    guard own == other else {
      return [SourceFault(labels.path, "shape \(other) instead of the image's \(own)")]
    }
    let distance = image.affine.distance(to: labels.affine, over: own)
    guard distance > Self.tolerance * (image.affine.steps.min() ?? 1) else { return [] }
    return [
      SourceFault(
        labels.path,
        "its affine puts voxels up to \((distance * 1000).rounded() / 1000) mm from the image's")
    ]
  }
}
