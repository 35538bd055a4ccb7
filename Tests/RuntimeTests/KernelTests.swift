import CKernels
import Support
import Testing

@testable import Numerics

/// Sizes around those that vector code treats differently.
let awkwardSizes = [0, 1, 15, 16, 17, 31, 33, 1000]

/// Numbers that look random and are the same every time.
func numbers(_ count: Int, seed: UInt64 = 1) -> [Float] {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Float(Int64(bitPattern: state) >> 40) / Float(1 << 22)
  }
}

func tensor(_ shape: Int..., seed: UInt64 = 1) -> Tensor {
  Tensor(numbers(shape.reduce(1, *), seed: seed), shape: shape)
}

/// Holds numbers against others, elementwise, relative to the largest of the others.
func expectClose(
  _ found: [Float], _ expected: [Float], _ tolerance: Float, named name: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(found.count == expected.count, sourceLocation: sourceLocation)
  let scale = max(expected.map(abs).max() ?? 0, .leastNormalMagnitude)
  let wrong = zip(found, expected).enumerated().filter {
    !(abs($0.element.0 - $0.element.1) <= tolerance * scale)
  }
  #expect(
    wrong.isEmpty,
    "\(name): \(wrong.count) of \(found.count) differ, first \(wrong.first.map { "\($0)" } ?? "")",
    sourceLocation: sourceLocation)
}

struct KernelTests {
  @Test(arguments: awkwardSizes) func `gelu agrees with its twin`(_ count: Int) {
    let values = numbers(count).map { $0 * 3 }
    var (fast, twin) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    wt_gelu(&fast, values, count)
    wt_gelu_scalar(&twin, values, count)
    expectClose(fast, twin, 5e-7)
    var inPlace = values
    inPlace.withUnsafeMutableBufferPointer { numbers in
      guard let base = numbers.baseAddress else { return }
      wt_gelu(base, base, count)
    }
    let isSame = inPlace == fast
    #expect(isSame)
  }

  @Test(arguments: awkwardSizes.dropFirst())
  func `layer normalisation agrees with its twin`(_ columns: Int) {
    let (values, gain, bias) = (
      numbers(3 * columns), numbers(columns, seed: 2), numbers(columns, seed: 3)
    )
    var (fast, twin) = (values, values)
    wt_layer_norm(&fast, values, gain, bias, 3, columns, 1e-6)
    wt_layer_norm_scalar(&twin, values, gain, bias, 3, columns, 1e-6)
    expectClose(fast, twin, 2e-6)
  }

  @Test(arguments: awkwardSizes.dropFirst())
  func `a softmax in two steps agrees with its twin in one`(_ count: Int) {
    let values = numbers(2 * count).map { $0 * 20 }
    var (fast, twin) = (values, values)
    var (maximum, sum): (Float, Float) = (-.infinity, 0)
    #expect(wt_softmax_step(&fast, count, &maximum, &sum) == 0)
    var second = Array(fast[count...])
    let kept = wt_softmax_step(&second, count, &maximum, &sum)
    var (twinMaximum, twinSum): (Float, Float) = (-.infinity, 0)
    _ = wt_softmax_step_scalar(&twin, 2 * count, &twinMaximum, &twinSum)
    #expect(maximum == twinMaximum)
    expectClose(
      (fast[..<count].map { $0 * kept } + second).map { $0 / sum }, twin.map { $0 / twinSum }, 1e-6)
  }

  @Test(arguments: awkwardSizes, [1, 14, 33]) func `positions are added as the twin does`(
    _ rows: Int, _ columns: Int
  ) {
    let values = numbers(rows * columns)
    var (fast, twin) = (values, values)
    wt_add_positions(&fast, numbers(rows, seed: 2), numbers(columns, seed: 3), rows, columns)
    wt_add_positions_scalar(&twin, numbers(rows, seed: 2), numbers(columns, seed: 3), rows, columns)
    expectClose(fast, twin, 2e-7)
  }

  @Test(arguments: awkwardSizes, [1, 17, 33]) func `linear agrees with sums in double precision`(
    _ rows: Int, _ depth: Int
  ) {
    for (columns, activation) in [(1, Activation.none), (33, .relu), (1030, .gelu)] {
      let (x, w, b) = (
        tensor(rows, depth), tensor(columns, depth, seed: 2), tensor(columns, seed: 3)
      )
      let linear = Linear(weight: Variable(w), bias: Variable(b))
      let result = linear(Variable(x), activation: activation).value
      let (xs, ws, bs) = (x.values, w.values, b.values)
      let expected = (0..<rows * columns).map { place -> Float in
        let (row, column) = (place / columns, place % columns)
        let sum = (0..<depth).reduce(Double(bs[column])) {
          $0 + Double(xs[row * depth + $1]) * Double(ws[column * depth + $1])
        }
        var value = [Float(sum)]
        if activation == .gelu { wt_gelu_scalar(&value, [Float(sum)], 1) }
        return activation == .relu ? max(0, value[0]) : value[0]
      }
      expectClose(result.values, expected, 1e-6)
    }
  }

  /// Whichever way this processor takes, the other one must be right too.
  @Test(arguments: [1, 17, 33, 600], BrainFloats.canBeMultiplied ? [true, false] : [false])
  func `products of bfloat16 are those of the rounded numbers`(
    _ rows: Int, _ multipliesBrainFloats: Bool
  ) {
    let (columns, depth) = (770, 65)
    let (input, weight) = (tensor(rows, depth), tensor(columns, depth, seed: 2))
    let (left, right) = (rounded(input.values), rounded(weight.values))
    var stored = [UInt16](repeating: 0, count: right.count)
    wt_to_bfloat16(&stored, weight.values, stored.count)
    let output = Tensor(uninitialised: [rows, columns])
    stored.withUnsafeBufferPointer { stored in
      guard let base = stored.baseAddress else { return }
      Kernels.linear(
        input.matrix, .brainFloat(base, columns: columns, depth: depth), into: output.matrix,
        multipliesBrainFloats: multipliesBrainFloats)
    }
    var expected = [Float](repeating: 0, count: rows * columns)
    for place in expected.indices {
      let (row, column) = (place / columns * depth, place % columns * depth)
      expected[place] = Float(
        (0..<depth).reduce(0.0) { $0 + Double(left[row + $1]) * Double(right[column + $1]) })
    }
    expectClose(output.values, expected, 1e-6)
  }

  private func rounded(_ numbers: [Float]) -> [Float] {
    var result = numbers
    wt_round_to_bfloat16(&result, numbers, numbers.count)
    return result
  }

  @Test(arguments: awkwardSizes) func `the derivative of gelu agrees with its twin`(_ count: Int) {
    let values = numbers(count).map { $0 * 3 }
    var (fast, twin) = (numbers(count, seed: 2), numbers(count, seed: 2))
    wt_gelu_backward(&fast, values, count)
    wt_gelu_backward_scalar(&twin, values, count)
    expectClose(fast, twin, 1e-6)
  }

  // Of one column every derivative is zero, so there is nothing to be relative to.
  @Test(arguments: awkwardSizes.dropFirst(2), [true, false])
  func `the derivative of a layer norm agrees with its twin`(_ columns: Int, _ isTrained: Bool) {
    let rows = 7
    let (gradient, x) = (numbers(rows * columns), numbers(rows * columns, seed: 2))
    let gain = numbers(columns, seed: 3)
    let results = [wt_layer_norm_backward, wt_layer_norm_backward_scalar].map { kernel in
      var out = [Float](repeating: 0, count: rows * columns)
      var sums = [Float](repeating: 1, count: 2 * columns)
      sums.withUnsafeMutableBufferPointer { sums in
        let base = isTrained ? sums.baseAddress : nil
        kernel(&out, gradient, x, gain, base, base.map { $0 + columns }, rows, columns, 1e-3)
      }
      return (out, sums)
    }
    expectClose(results[0].0, results[1].0, 5e-6)
    expectClose(results[0].1, results[1].1, 2e-6)
  }

  @Test(arguments: awkwardSizes) func `the derivative of softmax agrees with its twin`(
    _ count: Int
  ) {
    var (scores, twin) = (numbers(count), numbers(count))
    var (changes, twinChanges) = (numbers(count, seed: 2), numbers(count, seed: 2))
    wt_softmax_backward(&scores, &changes, count, 1.5, 0.25)
    wt_softmax_backward_scalar(&twin, &twinChanges, count, 1.5, 0.25)
    expectClose(scores, twin, 1e-6)
    expectClose(changes, twinChanges, 1e-6)
  }

  @Test(arguments: awkwardSizes, [1, 14, 33]) func `positions are summed as the twin does`(
    _ rows: Int, _ columns: Int
  ) {
    let values = numbers(rows * columns)
    var (up, across) = (numbers(rows, seed: 2), numbers(columns, seed: 3))
    var (twinUp, twinAcross) = (up, across)
    wt_sum_positions(&up, &across, values, rows, columns)
    wt_sum_positions_scalar(&twinUp, &twinAcross, values, rows, columns)
    expectClose(up, twinUp, 1e-5)
    expectClose(across, twinAcross, 1e-5)
  }

  @Test func `ReLU keeps what is no number`() {
    let input = Tensor([.nan, 1, -1, -0.0, .infinity, -.infinity], shape: [6, 1])
    let weight = Tensor([1], shape: [1, 1])
    let output = Tensor(uninitialised: [6, 1])
    Kernels.linear(
      input.matrix, .float(weight.matrix), into: output.matrix, activation: .relu)
    let values = output.values
    #expect(values[0].isNaN && values[1] == 1 && values[2] == 0 && values[4] == .infinity)
    #expect(values[5] == 0)
  }
}
