/// An array as numpy stores it: packed elements in one order or another.
struct NumpyArray: DescribedTensor, Sendable {
  let info: TensorInfo
  let layout: StridedLayout
  private let transform: ElementTransform

  init(_ info: TensorInfo, layout: StridedLayout, isSwapped: Bool) {
    self.info = info
    self.layout = layout
    transform = ElementTransform(info.dtype, swapsBytes: isSwapped)
  }

  /// Turns the stored bytes into those of the tensor.
  ///
  /// An array in another than C order has to be in memory to be reordered.
  func reader(over stored: any TensorReader) throws -> any TensorReader {
    guard info.byteCount > 0 else { return BytesReader([]) }
    let ordered: any TensorReader =
      layout.isContiguous
      ? stored : StridedReader(try stored.bytes(count: info.byteCount), layout)
    return ordered.applying(transform)
  }
}
