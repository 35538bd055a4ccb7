/// Reading a part of a tensor.
extension HDF5Checkpoint {
  /// The bytes of a range of a tensor's first dimension; only the chunks that hold it are read.
  ///
  /// - Parameter rows: not empty, within the first of the tensor's extents, none of which is zero.
  /// - Returns: packed, C order, little-endian.
  /// - Throws: `FormatError` with a code of the chunks.
  public func bytes(of index: Int, rows: Range<Int>) throws -> [UInt8] {
    let info = tensors[index]
    precondition(
      info.byteCount > 0 && !rows.isEmpty && rows.lowerBound >= 0
        && rows.upperBound <= info.shape.first ?? 0, "rows of the tensor")
    return try naming(file: path) {
      try naming(subject: info.name.text) {
        var bytes = try stored(index, rows)
        let unit = datasets[index].swapUnit
        if unit > 1 { bytes.withUnsafeMutableBytes { $0.swapNumbers(of: unit) } }
        return bytes
      }
    }
  }

  private func stored(_ index: Int, _ rows: Range<Int>) throws -> [UInt8] {
    let dataset = datasets[index]
    let rowBytes = dataset.info.byteCount / dataset.info.shape[0]
    let part = rows.lowerBound * rowBytes..<rows.upperBound * rowBytes
    switch dataset.storage {
    case .contiguous(let range):
      return try structure.input.bytes(range.lowerBound + part.lowerBound, part.count)
    case .compact: return Array(try structure.compactBytes(of: dataset)[part])
    case .absent:
      let element = try structure.fillElement(of: dataset)
      return try RepeatingReader(element, count: part.count / element.count)
        .bytes(count: part.count)
    case .chunked(let chunks):
      let box = HDF5Box(
        origin: [rows.lowerBound] + dataset.info.shape.dropFirst().map { _ in 0 },
        extents: [rows.count] + dataset.info.shape.dropFirst())
      return try HDF5ChunkedReader(structure, dataset, chunks).bytes(of: box)
    }
  }
}
