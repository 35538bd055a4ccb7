import Foundation
import Testing

@testable import Numerics

struct AttentionTests {
  /// A grid, its window or none, images, heads and their width.
  struct Case: Sendable, CustomTestStringConvertible {
    var grid: Int
    var window: Int?
    var images = 1
    var heads = 2
    var width = 5
    var testDescription: String { "grid \(grid), window \(window.map(String.init) ?? "none")" }
  }

  @Test(arguments: [
    Case(grid: 1), Case(grid: 4, images: 2), Case(grid: 33), Case(grid: 4, window: 2),
    Case(grid: 5, window: 3, images: 2), Case(grid: 4, window: 14, heads: 1),
    Case(grid: 7, window: 7),
    Case(grid: 17, window: 16, width: 16),
  ])
  func `attention agrees with its definition, padding included`(_ layout: Case) {
    let (heads, width, grid) = (layout.heads, layout.width, layout.grid)
    let side = layout.window ?? grid
    let inner = heads * width
    let tables = [tensor(2 * side - 1, width, seed: 5), tensor(2 * side - 1, width, seed: 6)]
    let projected = tensor(layout.images * grid * grid, 3 * inner)
    let bias = tensor(3 * inner, seed: 7)
    let attention = GridAttention(
      heads: heads, headWidth: width, grid: grid, window: layout.window,
      positions: RelativePositions(vertical: tables[0], horizontal: tables[1]))
    let result = Tensor(uninitialised: [layout.images * grid * grid, inner])
    if layout.window == nil {
      Kernels.globalAttention(attention, projected.matrix, into: result.matrix)
    } else {
      Kernels.windowAttention(attention, projected.matrix, bias: bias.matrix, into: result.matrix)
    }
    let reference = GridReference(
      grid: grid, side: side, heads: heads, width: width, projected: projected.values,
      bias: bias.values, vertical: tables[0].values, horizontal: tables[1].values)
    expectClose(result.values, reference.result(images: layout.images), 2e-6)
  }

  @Test(arguments: [(1, 1), (3, 1100), (300, 7)])
  func `attention between two sets agrees with its definition`(_ sizes: (Int, Int)) {
    let (m, n, heads, width) = (sizes.0, sizes.1, 2, 3)
    let (q, k, v) = (
      tensor(2 * m, 6), tensor(2 * n, 6, seed: 2), tensor(2 * n, 6, seed: 3)
    )
    let result = Tensor(uninitialised: [2 * m, 6])
    Kernels.crossAttention(
      q.matrix, k.matrix, v.matrix, heads: heads, images: 2, into: result.matrix)
    let (qs, ks, vs) = (q.values, k.values, v.values)
    var expected = [Float](repeating: 0, count: 2 * m * 6)
    for image in 0..<2 {
      for head in 0..<heads {
        for query in 0..<m {
          let at = { (row: Int, c: Int) in row * 6 + head * width + c }
          let scores = (0..<n).map { key -> Double in
            var sum = 0.0
            for c in 0..<width {
              sum += Double(qs[at(image * m + query, c)]) * Double(ks[at(image * n + key, c)])
            }
            return sum / Double(width).squareRoot()
          }
          let weights = softmax(scores)
          for c in 0..<width {
            expected[at(image * m + query, c)] = Float(
              (0..<n).reduce(0.0) { $0 + weights[$1] * Double(vs[at(image * n + $1, c)]) })
          }
        }
      }
    }
    expectClose(result.values, expected, 2e-6)
  }
}

func softmax(_ scores: [Double]) -> [Double] {
  let top = scores.max() ?? 0
  let weights = scores.map { exp($0 - top) }
  let sum = weights.reduce(0, +)
  return weights.map { $0 / sum }
}

/// SAM's attention as its definition says it: windows padded with what a zero token projects to.
struct GridReference {
  var grid: Int
  var side: Int
  var heads: Int
  var width: Int
  var projected: [Float]
  var bias: [Float]
  var vertical: [Float]
  var horizontal: [Float]

  /// One number of q, k or v (0, 1, 2) of a place that may lie beyond the grid.
  func number(_ part: Int, _ image: Int, _ y: Int, _ x: Int, _ head: Int, _ c: Int) -> Double {
    let inner = heads * width
    let column = part * inner + head * width + c
    guard y < grid, x < grid else { return Double(bias[column]) }
    return Double(projected[((image * grid + y) * grid + x) * 3 * inner + column])
  }

  func result(images: Int) -> [Float] {
    var result: [Float] = []
    for image in 0..<images {
      for place in 0..<grid * grid {
        for head in 0..<heads {
          result += outputs(image, place / grid, place % grid, head)
        }
      }
    }
    return result
  }

  private func outputs(_ image: Int, _ y: Int, _ x: Int, _ head: Int) -> [Float] {
    let (top, left) = (y / side * side, x / side * side)
    let q = (0..<width).map { number(0, image, y, x, head, $0) }
    let keys = (0..<side * side).map { (top + $0 / side, left + $0 % side) }
    let scores = keys.map { key in
      let (dy, dx) = (y - key.0 + side - 1, x - key.1 + side - 1)
      return (0..<width).reduce(0.0) { sum, c in
        let product = number(1, image, key.0, key.1, head, c) / Double(width).squareRoot()
        let place = Double(vertical[dy * width + c]) + Double(horizontal[dx * width + c])
        return sum + q[c] * (product + place)
      }
    }
    let weights = softmax(scores)
    return (0..<width).map { c in
      Float(
        zip(keys, weights).reduce(0.0) {
          $0 + $1.1 * number(2, image, $1.0.0, $1.0.1, head, c)
        })
    }
  }
}
