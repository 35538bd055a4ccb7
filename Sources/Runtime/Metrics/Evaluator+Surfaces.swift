extension Evaluator {
  /// Adds HD, HD95 and ASSD, from surface voxels to the nearest of the other mask's.
  ///
  /// Source: `medpy.metric.binary` for pooled distances, else `monai.metrics`.
  func addDistances(
    _ prediction: LabelGrid, _ reference: LabelGrid, _ slots: ClassSlots,
    to results: inout [ClassResult], at places: [Int]
  ) {
    guard metrics.contains(where: \.isDistance) else { return }
    let (predicted, referred) = (
      surfaceVoxels(of: prediction, slots), surfaceVoxels(of: reference, slots)
    )
    var lattice = reference.lattice
    if convention.isPooledInVoxels { lattice.spacing = (1, 1, 1) }
    for (slot, place) in places.enumerated() {
      let there = NearestDistances(to: referred[slot], on: lattice)(from: predicted[slot]).sorted()
      let back = NearestDistances(to: predicted[slot], on: lattice)(from: referred[slot]).sorted()
      for metric in metrics where metric.isDistance {
        results[place][metric] = distance(metric, there, back)
      }
    }
  }

  /// - Parameters:
  ///   - there: the distances of the prediction's surface, ascending.
  ///   - back: those of the reference's.
  private func distance(_ metric: Metric, _ there: [Double], _ back: [Double]) -> Double {
    switch metric {
    case .hd95 where convention.isPooledInVoxels: percentile(95, ofSorted: (there + back).sorted())
    case .hd95: max(percentile(95, ofSorted: there), percentile(95, ofSorted: back))
    case .assd:
      (there.reduce(0, +) + back.reduce(0, +)) / Double(there.count + back.count)
    default: max(there.last ?? .nan, back.last ?? .nan)
    }
  }

  /// Adds the part of both surfaces that lies within the tolerance of the other.
  ///
  /// Source: `compute_surface_dice_at_tolerance` of DeepMind's `surface-distance`.
  func addSurfaceDice(
    _ prediction: LabelGrid, _ reference: LabelGrid, _ slots: ClassSlots,
    to results: inout [ClassResult], at places: [Int]
  ) {
    guard metrics.contains(.nsd) else { return }
    let (predicted, referred) = (
      surfaces(of: prediction, slots), surfaces(of: reference, slots)
    )
    let isFlat = reference.shape.count == 2
    let lattice = reference.lattice.corners(isFlat: isFlat)
    let spacing = lattice.spacing
    let sizes =
      isFlat
      ? SurfaceElements.lengths(spacing: (spacing.x, spacing.y))
      : SurfaceElements.areas(spacing: spacing)
    for (slot, place) in places.enumerated() {
      let there = agreement(predicted[slot], with: referred[slot], lattice, sizes)
      let back = agreement(referred[slot], with: predicted[slot], lattice, sizes)
      results[place][.nsd] = (there.near + back.near) / (there.all + back.all)
    }
  }

  /// How much of a surface lies within the tolerance of another, and how much there is.
  private func agreement(
    _ surface: Surface, with other: Surface, _ lattice: Lattice, _ sizes: [Double]
  ) -> (near: Double, all: Double) {
    let areNear = nearness(of: surface, to: other, lattice)
    let sums = parallelMap(count: surface.parts.count) { index in
      var (near, all) = (0.0, 0.0)
      for (code, isNear) in zip(surface.parts[index].codes, areNear(index)) {
        all += sizes[Int(code)]
        if isNear { near += sizes[Int(code)] }
      }
      return (near, all)
    }
    return sums.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
  }

  /// Which pieces of a part lie within the tolerance, by a look around each where that is little
  /// work, else by their distances.
  private func nearness(
    of surface: Surface, to other: Surface, _ lattice: Lattice
  ) -> @Sendable (_ part: Int) -> [Bool] {
    let tolerance = tolerance
    if let nearby = NearbyTargets(other.parts.map(\.places), on: lattice, within: tolerance) {
      return { nearby.haveTarget(near: surface.parts[$0].places) }
    }
    let distances = NearestDistances(to: other.places, on: lattice)(from: surface.places)
    let starts = surface.parts.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.places.count) }
    return { distances[starts[$0]..<starts[$0 + 1]].map { $0 <= tolerance } }
  }
}
