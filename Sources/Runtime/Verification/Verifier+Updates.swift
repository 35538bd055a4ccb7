import Formats
import Numerics
import Support
import Surgery
import Synchronization

/// What a merge may have changed in a weight: some rows, by an update of low rank.
struct WeightUpdate: Sendable {
  var name: TensorName
  /// Rows that were updated, each part with the rank of its update.
  var parts: [(label: String, rows: Range<Int>, rank: Int)]
}

extension Verifier {
  /// Holds merged weights against those they were merged into: rows that factors do not reach keep
  /// their bytes, and what was added to the others has no more than the factors' rank.
  func updates(
    _ merged: Blueprint, _ unmerged: Blueprint, changed: [TensorName]
  ) throws -> [VerificationReport.Measurement] {
    let (found, base) = (
      PlannedCheckpoint(merged, path: "merged"), PlannedCheckpoint(unmerged, path: "base")
    )
    let model = try Architecture(unmerged)
    let updates = changed.compactMap { Self.update($0, of: unmerged, model) }
    let results = Mutex([Int: [VerificationReport.Measurement]]())
    try parallelFor(count: updates.count) { index in
      guard let left = found.index(of: updates[index].name),
        let right = base.index(of: updates[index].name)
      else { return }
      let dtype = found.tensors[left].dtype
      let measured = Self.measure(
        updates[index], try Tensor(reading: found, left), try Tensor(reading: base, right),
        unit: Self.unit(dtype))
      results.withLock { $0[index] = measured }
    }
    return results.withLock { all in updates.indices.flatMap { all[$0] ?? [] } }
  }

  /// The parts of a weight that the model's factors belong to, nil of one that was resized or so.
  private static func update(
    _ name: TensorName, of plan: Blueprint, _ model: Architecture
  ) -> WeightUpdate? {
    let text = name.text
    if let factors = model.factors, let encoder = model.encoder, text.hasSuffix(".attn.qkv.weight")
    {
      let rows = encoder.attentionWidth
      return WeightUpdate(
        name: name,
        parts: [("q", 0..<rows, factors.rank), ("v", 2 * rows..<3 * rows, factors.rank)])
    }
    // Beside a decoder's `x_proj.weight` stands `x_lora_a.weight`, as many rows as its rank.
    let factor = TensorName(
      text.replacing("_proj.weight", with: "_lora_a.weight", maxReplacements: 1))
    let shapes = plan.entries.map(\.info)
    guard factor != name, let rank = shapes.first(where: { $0.name == factor })?.shape.first,
      let rows = shapes.first(where: { $0.name == name })?.shape.first
    else { return nil }
    return WeightUpdate(name: name, parts: [("all", 0..<rows, rank)])
  }

  private static func measure(
    _ update: WeightUpdate, _ merged: Tensor, _ base: Tensor, unit: Double
  ) -> [VerificationReport.Measurement] {
    let (left, right) = (merged.matrix, base.matrix)
    defer { withExtendedLifetime((merged, base)) {} }
    var measurements: [VerificationReport.Measurement] = []
    let touched = Set(update.parts.flatMap { Array($0.rows) })
    let others = (0..<left.rows).filter { !touched.contains($0) }
    let isKept = others.allSatisfy { row in
      (0..<left.columns).allSatisfy {
        left.row(row)[$0].bitPattern == right.row(row)[$0].bitPattern
      }
    }
    if !isKept {
      measurements.append(
        .init(name: "\(update.name) other rows", difference: .infinity, tolerance: 0))
    }
    for part in update.parts {
      let rows = (left.rows(part.rows), right.rows(part.rows))
      measurements.append(
        .init(
          name: "\(update.name) \(part.label) beyond rank \(part.rank)",
          difference: RankProbe(rank: part.rank).excess(rows.0, rows.1),
          tolerance: Double(RankProbe.margin * (part.rank + RankProbe.spare)) * unit))
    }
    return measurements
  }
}

/// Finds out how far the difference of two matrices is from a given rank.
///
/// It is multiplied from both sides with a few more random signs than the rank; what elimination with
/// pivots leaves of that small matrix after as many steps is only the rounding of the entries, if the
/// rank is not larger.
/// Source: Halko, Martinsson and Tropp, "Finding structure with randomness" (2011).
struct RankProbe {
  /// Random vectors beyond the rank.
  static let spare = 4
  /// What elimination may enlarge rounding by, in roundings of the whole matrix.
  static let margin = 16

  var rank: Int

  /// The norm of what lies beyond the rank, over the norm of the first matrix.
  func excess(_ left: MatrixView, _ right: MatrixView) -> Double {
    let count = rank + Self.spare
    guard left.rows > rank, left.columns > rank else { return 0 }
    let (rowSigns, columnSigns) = (
      signs("rows", left.rows * count), signs("columns", left.columns * count)
    )
    var (sketch, image) = (
      [Double](repeating: 0, count: count * count), [Double](repeating: 0, count: count)
    )
    var squares = 0.0
    for row in 0..<left.rows {
      for index in 0..<count { image[index] = 0 }
      for column in 0..<left.columns {
        let value = Double(left.row(row)[column])
        let delta = value - Double(right.row(row)[column])
        squares += value * value
        for index in 0..<count { image[index] += delta * columnSigns[column * count + index] }
      }
      for index in 0..<count {
        let sign = rowSigns[row * count + index]
        for other in 0..<count { sketch[index * count + other] += sign * image[other] }
      }
    }
    guard squares.isFinite else { return .infinity }
    return squares > 0 ? remainder(&sketch, count) / squares.squareRoot() : 0
  }

  private func signs(_ name: String, _ count: Int) -> [Double] {
    let stream = RandomStream(seed: 2, name: "rank " + name)
    return (0..<count).map { stream.words(block: UInt64($0 / 4))[$0 % 4] & 1 == 0 ? 1 : -1 }
  }

  /// What is left of a square matrix after `rank` steps of elimination with full pivoting.
  private func remainder(_ matrix: inout [Double], _ count: Int) -> Double {
    for step in 0..<rank {
      let rest = step * count..<count * count
      let pivot = rest.filter { $0 % count >= step }.max { abs(matrix[$0]) < abs(matrix[$1]) }
      guard let pivot, matrix[pivot] != 0 else { return 0 }
      for index in 0..<count {
        matrix.swapAt(step * count + index, pivot / count * count + index)
      }
      for row in 0..<count { matrix.swapAt(row * count + step, row * count + pivot % count) }
      for row in step + 1..<count {
        let factor = matrix[row * count + step] / matrix[step * count + step]
        for column in step..<count {
          matrix[row * count + column] -= factor * matrix[step * count + column]
        }
      }
    }
    let rest = (rank * count..<count * count).filter { $0 % count >= rank }
    return rest.reduce(0) { $0 + matrix[$1] * matrix[$1] }.squareRoot()
  }
}
