import CKernels
import Support

/// The gradients of one head's attention.
struct AttentionHeadGradient {
  /// Of the output, [queries, head width].
  var output: MatrixView
  /// What is written: of queries, keys and values.
  var queries: MatrixView
  var keys: MatrixView
  var values: MatrixView
  /// Of the table of positions, added to; nil when it is fixed.
  var table: MatrixView?
}

extension Kernels {
  /// Differentiates `attend` for all queries of a head, on the calling thread.
  ///
  /// Weights are calculated again from the logarithms of the sums that `attend` left, a tile at a
  /// time. Source: Dao et al., "FlashAttention" (2022), algorithm 4.
  static func attendBackward(_ head: AttentionHead, _ gradient: AttentionHeadGradient, scale: Float)
  {
    for matrix in [gradient.keys, gradient.values] {
      for row in 0..<matrix.rows { matrix.row(row).update(repeating: 0, count: matrix.columns) }
    }
    let (queries, keys) = (head.queries.rows, head.keys.rows)
    let tile = attentionTile(queries: queries, keys: keys)
    for start in stride(from: 0, to: queries, by: tile) {
      backwardTile(head, gradient, start..<min(queries, start + tile), scale: scale)
    }
  }

  private static func backwardTile(
    _ head: AttentionHead, _ gradient: AttentionHeadGradient, _ range: Range<Int>, scale: Float
  ) {
    let (queries, keys) = (head.queries.rows(range), head.keys.rows)
    let (above, below) = (gradient.output.rows(range), gradient.queries.rows(range))
    let columns = head.positions?.0.grid ?? keys
    let tile = min(keys, max(1, tileKeys / columns) * columns)
    let scratch = Tensor(uninitialised: [2, range.count, max(tile, 1)])
    let (scores, changes) = (scratch[0].matrix, scratch[1].matrix)
    let means = range.map { dot(gradient.output, head.output, row: $0) }
    let distances = head.positions.map { positions, places in
      QueryDistances(queries, positions, Array(places[range]))
    }
    let distanceGradient = distances.map { QueryDistances(zerosFor: $0) }
    for start in stride(from: 0, to: keys, by: tile) {
      let part = start..<min(keys, start + tile)
      let (scores, changes) = (scores.columns(0..<part.count), changes.columns(0..<part.count))
      product(queries, head.keys.rows(part), transposed: true, scale: scale, into: scores)
      product(above, head.values.rows(part), transposed: true, into: changes)
      for (row, query) in range.enumerated() {
        distances?.add(row, part, to: scores.row(row))
        wt_softmax_backward(
          scores.row(row), changes.row(row), part.count, head.logSums?.row(query).pointee ?? 0,
          means[row])
        distanceGradient?.sum(row, part, changes.row(row))
      }
      product(
        changes, head.keys.rows(part), transposed: false, scale: scale, into: below,
        accumulates: start > 0)
      product(
        changes, queries, transposesLeft: true, transposed: false, scale: scale,
        into: gradient.keys.rows(part), accumulates: true)
      product(
        scores, above, transposesLeft: true, transposed: false,
        into: gradient.values.rows(part), accumulates: true)
    }
    if let (positions, _) = head.positions, let distanceGradient {
      let distances = distanceGradient.matrix
      product(
        distances, positions.table.matrix, transposed: false, into: below, accumulates: true)
      if let table = gradient.table {
        product(
          distances, queries, transposesLeft: true, transposed: false, into: table,
          accumulates: true)
      }
    }
    withExtendedLifetime((scratch, distances, distanceGradient)) {}
  }

  private static func dot(_ left: MatrixView, _ right: MatrixView, row: Int) -> Float {
    let (first, second) = (left.row(row), right.row(row))
    var sum: Float = 0
    for index in 0..<left.columns { sum += first[index] * second[index] }
    return sum
  }
}
