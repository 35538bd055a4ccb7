import CKernels
import COneDNN
import Support

/// A weight in the order in which oneDNN's products read it, brought into it once instead of by each.
///
/// Every panel of columns is a matrix of its own. Such weights cannot be turned round, so they are for
/// forward passes.
struct BlockedWeight: Sendable {
  private let storage: TensorStorage
  let view: WeightView

  /// - Parameters:
  ///   - weight: [columns, depth]
  ///   - multipliesBrainFloats: how products take rounded weights; `BrainFloats` tells.
  /// - Returns: nil where oneDNN reads rows as they are, as it does without AVX-512.
  init?(
    _ weight: MatrixView, _ precision: Precision,
    multipliesBrainFloats: Bool = BrainFloats.areMultiplied
  ) {
    let isRounded = precision == .brainFloat16
    let format = Format(
      depth: weight.columns, isBrainFloat: isRounded && multipliesBrainFloats)
    let panels = Kernels.columnPanels(of: weight.rows)
    guard let first = panels.first, let last = panels.last, format.hasBlocks(columns: first.count)
    else { return nil }
    let stride = format.count(columns: first.count)
    let count = (panels.count - 1) * stride + format.count(columns: last.count)
    let width = isRounded ? 2 : 4
    let storage = StoragePool.shared.storage(byteCount: count * width)
    parallelFor(count: panels.count) { index in
      format.write(
        weight.rows(panels[index]), to: storage.address + index * stride * width,
        rounding: isRounded)
    }
    view = WeightView(
      storage.address, columns: weight.rows, depth: weight.columns, stride: stride,
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

    /// How many numbers a panel takes, the zeros that fill it up included.
    func count(columns: Int) -> Int {
      var layout = layout(columns: columns)
      let bytes = (dnnl_memory_desc_get_size(&layout) + 63) / 64 * 64
      return bytes / (isBrainFloat ? 2 : 4)
    }

    /// - Parameter panel: [columns, depth]
    func write(_ panel: MatrixView, to target: UnsafeMutableRawPointer, rounding: Bool) {
      guard rounding else {
        return reorder(panel.base, panel.rows, stride: panel.stride, to: target)
      }
      isBrainFloat ? writeRounded(panel, to: target) : writeFloatsRounded(panel, to: target)
    }

    private func writeRounded(_ panel: MatrixView, to target: UnsafeMutableRawPointer) {
      let rounded = StoragePool.shared.storage(byteCount: 2 * panel.rows * depth)
      let numbers = rounded.address.assumingMemoryBound(to: UInt16.self)
      for row in 0..<panel.rows { wt_to_bfloat16(numbers + row * depth, panel.row(row), depth) }
      reorder(numbers, panel.rows, stride: depth, to: target)
      withExtendedLifetime(rounded) {}
    }

    /// Rounds what is in order already.
    private func writeFloatsRounded(_ panel: MatrixView, to target: UnsafeMutableRawPointer) {
      let count = count(columns: panel.rows)
      let ordered = Tensor(repeating: 0, shape: [count])
      reorder(panel.base, panel.rows, stride: panel.stride, to: ordered.pointer)
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
