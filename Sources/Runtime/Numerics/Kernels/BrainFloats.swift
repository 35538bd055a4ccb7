import CKernels
import COneDNN
import Support

/// How products of bfloat16 are calculated.
///
/// The product of two bfloat16 is exact as a float, so floats that hold such numbers give what the
/// processor's own instructions give, but for the order of sums. Which is faster is the processor's
/// business: with tiles (AMX) bfloat16 is, and so it is on AMD's since Zen 4 (420 against 220 GFLOP/s);
/// on Intel's without tiles it takes twice as long (165 against 310 GFLOP/s, Sapphire Rapids).
public enum BrainFloats {
  /// Whether this processor's instructions are used; decided by what it is, never by a measurement, so
  /// that one machine always gives the same bits.
  public static let areMultiplied =
    has(dnnl_cpu_isa_avx512_core_amx) || (has(dnnl_cpu_isa_avx512_core_bf16) && wt_is_amd() != 0)

  /// Whether oneDNN can multiply them at all, fast or not.
  static let canBeMultiplied = has(dnnl_cpu_isa_avx512_core)

  private static func has(_ isa: dnnl_cpu_isa_t) -> Bool {
    dnnl_get_effective_cpu_isa().rawValue & isa.rawValue == isa.rawValue
  }
}

/// A weight on its way into a product: as it is, or bfloat16 as the floats that they are.
struct PreparedWeight: Sendable {
  let view: WeightView
  private let storage: TensorStorage?

  private static let pieceSize = 1 << 16

  init(_ weight: WeightView, multipliesBrainFloats: Bool = BrainFloats.areMultiplied) {
    if case .blocked(let format) = weight.order, weight.numbers == .brainFloat {
      precondition(format.isBrainFloat == multipliesBrainFloats)
    }
    guard weight.numbers == .brainFloat, !multipliesBrainFloats else {
      view = weight
      storage = nil
      return
    }
    let storage = StoragePool.shared.storage(byteCount: weight.count * 4)
    let count = weight.count
    parallelFor(count: (count + Self.pieceSize - 1) / Self.pieceSize) { index in
      let range = Kernels.panel(index, of: Self.pieceSize, in: count)
      wt_from_bfloat16(
        storage.address.assumingMemoryBound(to: Float.self) + range.lowerBound,
        weight.base.assumingMemoryBound(to: UInt16.self) + range.lowerBound, range.count)
    }
    view = weight.with(storage.address, .roundedFloat)
    self.storage = storage
  }
}

/// The input of a product as it lies in memory.
struct InputView: @unchecked Sendable {
  // Sendable, as inputs are not written while products are calculated.
  let base: UnsafeRawPointer
  let columns: Int
  /// Numbers from one row to the next.
  let stride: Int
  let isBrainFloat: Bool

  func rows(_ range: Range<Int>) -> InputView {
    InputView(
      base: base + range.lowerBound * stride * (isBrainFloat ? 2 : 4), columns: columns,
      stride: stride, isBrainFloat: isBrainFloat)
  }
}

/// The input of a product, rounded if the weight is, and without gaps between rows if it is in blocks.
struct RoundedInput: Sendable {
  let view: InputView
  private let storage: TensorStorage?

  /// - Parameter pieceRows: what threads take at once; all of it on the calling thread unless given.
  init(_ input: MatrixView, for weight: WeightView, pieceRows: Int? = nil) {
    let numbers = weight.numbers
    let isGapless = !weight.order.isBlocked || input.stride == input.columns
    guard numbers != .float || !isGapless else {
      view = InputView(
        base: input.base, columns: input.columns, stride: input.stride, isBrainFloat: false)
      storage = nil
      return
    }
    let storage = StoragePool.shared.storage(
      byteCount: input.rows * input.columns * numbers.byteCount)
    let size = pieceRows ?? max(1, input.rows)
    let round = { @Sendable (index: Int) in
      for row in Kernels.panel(index, of: size, in: input.rows) {
        Self.round(input.row(row), input.columns, to: storage.address, row: row, numbers)
      }
    }
    if pieceRows == nil {
      round(0)
    } else {
      parallelFor(count: (input.rows + size - 1) / size) { round($0) }
    }
    view = InputView(
      base: storage.address, columns: input.columns, stride: input.columns,
      isBrainFloat: numbers == .brainFloat)
    self.storage = storage
  }

  private static func round(
    _ source: UnsafePointer<Float>, _ count: Int, to target: UnsafeMutableRawPointer, row: Int,
    _ numbers: WeightView.Numbers
  ) {
    let floats = target.assumingMemoryBound(to: Float.self) + row * count
    switch numbers {
    case .float: floats.update(from: source, count: count)
    case .roundedFloat: wt_round_to_bfloat16(floats, source, count)
    case .brainFloat:
      wt_to_bfloat16(target.assumingMemoryBound(to: UInt16.self) + row * count, source, count)
    }
  }
}
