import CKernels
import Foundation
import Support

/// What is known of a position relative to another, for attention over a grid.
///
/// Both tables [2·grid − 1, head width] are stacked, vertical first, and reversed, so that the
/// entries for the keys of a row or column follow one another.
public struct RelativePositions: Sendable {
  /// Of shape [2·(2·grid − 1), head width].
  public let table: Tensor
  /// Tokens a side.
  public let grid: Int

  /// - Parameters:
  ///   - vertical, horizontal: [2·grid − 1, head width], for distances query − key from 1 − grid.
  public init(vertical: Tensor, horizontal: Tensor) {
    self.init(
      table: Self.table(vertical: Variable(vertical), horizontal: Variable(horizontal)).value)
  }

  /// - Parameter table: as it is described above.
  public init(table: Tensor) {
    precondition(table.shape[0] % 4 == 2)
    self.table = table
    grid = (table.shape[0] / 2 + 1) / 2
  }

  /// The stacked table as a result of both parameters.
  public static func table(vertical: Variable, horizontal: Variable) -> Variable {
    precondition(vertical.shape == horizontal.shape)
    return Variable.concatenated([vertical.reversed(), horizontal.reversed()], axis: 0)
  }
}

/// One head's attention: its queries, all its keys and values.
struct AttentionHead {
  /// Of shape [queries, head width].
  var queries: MatrixView
  /// Of shape [keys, head width].
  var keys: MatrixView
  var values: MatrixView
  /// Of shape [queries, head width].
  var output: MatrixView
  /// The table and each query's place (y, x) in its grid; keys cover the grid in C order.
  var positions: (RelativePositions, places: [(y: Int, x: Int)])?
  /// The logarithm of each query's sum of exponentials, [queries, 1]: written by `attend` if wanted,
  /// read by its derivative.
  var logSums: MatrixView?
}

extension Kernels {
  /// Numbers of one tile of scores, which should stay in the second-level cache.
  private static let tileSize = 1 << 17
  private static let tileQueries = 256
  static let tileKeys = 1024

  /// Queries that are worked on at once.
  static func attentionTile(queries: Int, keys: Int) -> Int {
    max(1, min(queries, tileQueries, tileSize / max(1, min(keys, tileKeys))))
  }

  /// softmax(scale·q·kᵀ + positions)·v for one tile of queries, on the calling thread.
  ///
  /// Scores exist a tile of keys at a time; what was summed before is rescaled when a larger score
  /// appears. Source: Dao et al., "FlashAttention" (2022), algorithm 1.
  static func attend(_ head: AttentionHead, scale: Float) {
    let (queries, keys, width) = (head.queries.rows, head.keys.rows, head.queries.columns)
    let columns = head.positions?.0.grid ?? keys
    // Whole rows of the keys' grid, so that a tile's positions are two short vectors.
    let tile = min(keys, max(1, tileKeys / columns) * columns)
    let scratch = Tensor(uninitialised: [queries, max(tile, 1)])
    let distances = head.positions.map { QueryDistances(head.queries, $0.0, $0.places) }
    let sum = Tensor(uninitialised: [queries, width])
    let (scores, output) = (scratch.matrix, sum.matrix)
    var maxima = [Float](repeating: -.infinity, count: queries)
    var sums = [Float](repeating: 0, count: queries)
    for start in stride(from: 0, to: keys, by: tile) {
      let range = start..<min(keys, start + tile)
      let part = scores.columns(0..<range.count)
      product(head.queries, head.keys.rows(range), transposed: true, scale: scale, into: part)
      for query in 0..<queries {
        distances?.add(query, range, to: part.row(query))
        let kept = wt_softmax_step(part.row(query), range.count, &maxima[query], &sums[query])
        if start > 0 { multiply(output.rows(query..<query + 1), by: kept) }
      }
      product(
        part, head.values.rows(range), transposed: false, into: output, accumulates: start > 0)
    }
    for query in 0..<queries {
      head.logSums?.row(query).pointee = maxima[query] + log(sums[query])
      let (from, to, factor) = (output.row(query), head.output.row(query), 1 / sums[query])
      for index in 0..<width { to[index] = from[index] * factor }
    }
    withExtendedLifetime((scratch, distances, sum)) {}
  }

  private static func multiply(_ row: MatrixView, by factor: Float) {
    for index in 0..<row.columns { row.base[index] *= factor }
  }
}

/// What each query says to every distance between two places: q·tableᵀ, and the adjoint of its use.
///
/// Views and extents are taken once, as loops over queries would count references otherwise.
struct QueryDistances {
  private let storage: Tensor
  private let rows: MatrixView
  private let grid: Int
  private let places: [(y: Int, x: Int)]

  init(_ queries: MatrixView, _ positions: RelativePositions, _ places: [(y: Int, x: Int)]) {
    storage = Tensor(uninitialised: [queries.rows, positions.table.shape[0]])
    rows = storage.matrix
    grid = positions.grid
    self.places = places
    Kernels.product(queries, positions.table.matrix, transposed: true, into: rows)
  }

  /// Zeros that `sum` adds to.
  init(zerosFor other: QueryDistances) {
    storage = Tensor(repeating: 0, shape: other.storage.shape)
    rows = storage.matrix
    grid = other.grid
    places = other.places
  }

  /// Of shape [queries, entries of the table].
  var matrix: MatrixView { rows }

  /// Adds to a query's scores for some keys what their distances are worth.
  func add(_ query: Int, _ keys: Range<Int>, to scores: UnsafeMutablePointer<Float>) {
    let (vertical, horizontal) = entries(query, keys)
    wt_add_positions(scores, vertical, horizontal, keys.count / grid, grid)
  }

  /// The adjoint of `add`: adds the scores' gradients to those of the distances.
  func sum(_ query: Int, _ keys: Range<Int>, _ scores: UnsafePointer<Float>) {
    let (vertical, horizontal) = entries(query, keys)
    wt_sum_positions(vertical, horizontal, scores, keys.count / grid, grid)
  }

  private func entries(
    _ query: Int, _ keys: Range<Int>
  ) -> (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) {
    let (row, place) = (rows.row(query), places[query])
    return (
      row + (grid - 1 - place.y) + keys.lowerBound / grid,
      row + (2 * grid - 1) + (grid - 1 - place.x)
    )
  }
}
