/// Checks what a quantised tensor says of itself before it is refused for being one.
///
/// A file that lies is told apart from a file that merely needs another representation.
struct TorchQuantised {
  let document: PickleDocument
  let rebuild: TorchRebuild

  /// - Throws: `FormatError` with code `badQuantParams`.
  func check(_ arguments: [PickleDocument.ID]) throws {
    let shape = try rebuild.integers(arguments[2])
    guard document.kind(arguments[4]) == .tuple else {
      throw bad("a tuple of parameters", "a \(document.kind(arguments[4]))")
    }
    let parameters = document.children(arguments[4])
    guard let scheme = parameters.first.flatMap(document.global) else {
      throw bad("a quantisation scheme", "none")
    }
    switch scheme.name {
    case "per_tensor_affine", "per_tensor_symmetric":
      guard parameters.count == 3, document.float(parameters[1])?.isFinite == true else {
        throw bad("a finite scale and a zero point", "\(parameters.count - 1) parameters")
      }
    case "per_channel_affine", "per_channel_symmetric", "per_channel_affine_float_qparams":
      try checkPerChannel(parameters, shape)
    default: throw bad("a known scheme", scheme.qualified)
    }
  }

  private func checkPerChannel(_ parameters: [PickleDocument.ID], _ shape: [Int]) throws {
    guard parameters.count == 4 else {
      throw bad("scales, zero points and an axis", "\(parameters.count - 1) parameters")
    }
    let axis = try rebuild.integer(parameters[3])
    guard shape.indices.contains(axis) else {
      throw bad("an axis below \(shape.count)", "\(axis)")
    }
    for parameter in parameters[1...2] {
      let count = try length(parameter)
      guard count == shape[axis] else { throw bad("\(shape[axis]) values", "\(count)") }
    }
  }

  private func length(_ id: PickleDocument.ID) throws -> Int {
    if let items = document.sequence(id) { return items.count }
    return try rebuild.tensor(id, name: "scales").info.elementCount
  }

  private func bad(_ expected: String, _ found: String) -> FormatError {
    FormatError(.badQuantParams, expected: expected, found: found)
  }
}

/// Checks a sparse tensor's structure before it is refused for being sparse.
struct TorchSparse {
  let document: PickleDocument
  let rebuild: TorchRebuild

  /// - Throws: `FormatError` with code `badSparseIndex`.
  func check(_ arguments: [PickleDocument.ID]) throws {
    guard document.kind(arguments[1]) == .tuple else {
      throw bad("a tuple of indices, values and size", "a \(document.kind(arguments[1]))")
    }
    let parts = document.children(arguments[1])
    guard (3...5).contains(parts.count) else {
      throw bad("indices, values and size", "\(parts.count) parts")
    }
    let isCoordinate = parts.count == 3 || document.bool(parts[3]) != nil
    let size = try rebuild.integers(parts[isCoordinate ? 2 : 3])
    if let negative = size.first(where: { $0 < 0 }) { throw bad("a size ≥ 0", "\(negative)") }
    guard isCoordinate else { return }
    let indices = try rebuild.tensor(parts[0], name: "indices").info
    let values = try rebuild.tensor(parts[1], name: "values").info
    guard indices.dtype == .int64, indices.shape.count == 2, indices.shape[0] <= size.count,
      indices.shape[1] == values.shape.first
    else {
      throw bad("one index a dimension and value", "indices \(indices.shape)")
    }
  }

  private func bad(_ expected: String, _ found: String) -> FormatError {
    FormatError(.badSparseIndex, expected: expected, found: found)
  }
}
