import CKernels
import COneDNN
import Support

/// A weight in the order in which oneDNN's products read it, brought into it once instead of by each.
///
/// Such weights cannot be turned round, so they are for forward passes.
struct BlockedWeight: Sendable {
  private let storage: TensorStorage
  let view: WeightView

  /// - Parameters:
  ///   - weight: [columns, depth]
  ///   - multipliesBrainFloats: how products take rounded weights; `BrainFloats` tells.
  /// - Returns: nil where oneDNN reads rows as they are, as it does without AVX-512, and for results that
  ///   are wider than a panel: those would be copied from panels of their own, which takes what the order
  ///   saves.
  init?(
    _ weight: MatrixView, _ precision: Precision,
    multipliesBrainFloats: Bool = BrainFloats.areMultiplied
  ) {
    let isRounded = precision == .brainFloat16
    let format = Format(
      depth: weight.columns, isBrainFloat: isRounded && multipliesBrainFloats)
    guard (1...Kernels.panelColumns).contains(weight.rows), format.hasBlocks(columns: weight.rows)
    else { return nil }
    let count = format.count(columns: weight.rows)
    let storage = StoragePool.shared.storage(byteCount: count * (isRounded ? 2 : 4))
    format.write(weight, to: storage.address, rounding: isRounded)
    view = WeightView(
      storage.address, columns: weight.rows, depth: weight.columns, stride: 0,
      isRounded ? .brainFloat : .float, .blocked(format), count: count)
    self.storage = storage
  }

  /// oneDNN's order for products of some depth.
  struct Format: Sendable, Hashable {
    let depth: Int
    /// Whether products take bfloat16 themselves, and not the floats that are equal to them.
    let isBrainFloat: Bool

    private func layout(columns: Int) -> dnnl_memory_desc_t {
      MatmulPrimitive.blockedWeight(columns: columns, depth: depth, isBrainFloat: isBrainFloat)
    }

    func hasBlocks(columns: Int) -> Bool {
      layout(columns: columns).format_desc.blocking.inner_nblks > 0
    }

    /// How many numbers a weight takes, the zeros that fill its blocks included.
    func count(columns: Int) -> Int {
      var layout = layout(columns: columns)
      let bytes = (dnnl_memory_desc_get_size(&layout) + 63) / 64 * 64
      return bytes / (isBrainFloat ? 2 : 4)
    }

    /// - Parameter weight: [columns, depth]
    func write(_ weight: MatrixView, to target: UnsafeMutableRawPointer, rounding: Bool) {
      guard rounding else {
        return reorder(weight.base, weight.rows, stride: weight.stride, to: target)
      }
      isBrainFloat ? writeRounded(weight, to: target) : writeFloatsRounded(weight, to: target)
    }

    private func writeRounded(_ weight: MatrixView, to target: UnsafeMutableRawPointer) {
      let rounded = StoragePool.shared.storage(byteCount: 2 * weight.rows * depth)
      let numbers = rounded.address.assumingMemoryBound(to: UInt16.self)
      for row in 0..<weight.rows { wt_to_bfloat16(numbers + row * depth, weight.row(row), depth) }
      reorder(numbers, weight.rows, stride: depth, to: target)
      withExtendedLifetime(rounded) {}
    }

    /// Rounds what is in order already.
    private func writeFloatsRounded(_ weight: MatrixView, to target: UnsafeMutableRawPointer) {
      let count = count(columns: weight.rows)
      let ordered = Tensor(repeating: 0, shape: [count])
      reorder(weight.base, weight.rows, stride: weight.stride, to: ordered.pointer)
      wt_to_bfloat16(target.assumingMemoryBound(to: UInt16.self), ordered.pointer, count)
      withExtendedLifetime(ordered) {}
    }

    private func reorder(
      _ source: UnsafeRawPointer, _ columns: Int, stride: Int, to target: UnsafeMutableRawPointer
    ) {
      let rows = MatmulPrimitive.layout(
        isBrainFloat ? dnnl_bf16 : dnnl_f32, [depth, columns], [1, stride])
      Reordering(from: rows, to: layout(columns: columns)).run(source, target)
    }
  }
}
