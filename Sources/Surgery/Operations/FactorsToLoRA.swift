import Formats

/// Writes FacT's factors as LoRA pairs of the same update, B·A with A = s·Σ·U and B = V.
///
/// V is kept as it is, so that only A is rounded. By default A is stored as two numbers that add up
/// to it, one above the other, and V twice side by side: pairs of twice the rank, whose product is
/// ΔW to 2⁻⁴⁸ of |B|·|A|, far below what a weight's own type resolves. With the rank kept, an entry
/// of ΔW differs by up to 2⁻²⁴ of |B|·|A|, which moves a merged 32-bit weight by more than a unit in
/// the last place only where it is smaller than that sum.
public struct FactorsToLoRA: Operation {
  public var scale: Double?
  /// Whether the pairs have the factors' rank, and A is rounded.
  public var keepsRank: Bool

  public init(scale: Double? = nil, keepsRank: Bool = false) {
    self.scale = scale
    self.keepsRank = keepsRank
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let factors = try blueprint.factors()
    let scale = try MergeFactors.scale(scale, factors, &blueprint)
    guard factors.kind != .lora else { return }
    let pairs = try factors.blocks.flatMap { block in
      try Projection.allCases.flatMap { projection in
        try pair(
          block, projection, blueprint.factorSource(factors, block, projection, scale: scale))
      }
    }
    if let rank = pairs.first?.info.shape[0], rank != factors.rank {
      blueprint.notes.append(
        "the pairs have rank \(rank), twice that of the factors, so that nothing is rounded away: "
          + "load them with that rank, or keep \(factors.rank) with --keep-rank")
    }
    blueprint.entries.removeAll {
      FactorNames.contains($0.info.name)
        && !$0.info.name.text.hasPrefix(ModelNames.decoderPrefix)
    }
    blueprint.entries += pairs
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.factorScale] = nil
    blueprint.metadata = metadata.entries
  }

  private func pair(
    _ block: Int, _ projection: Projection, _ source: FactorSource
  ) throws -> [Blueprint.Entry] {
    guard let u = source.inputs.first, let v = source.inputs.last else { return [] }
    let (rank, width, rows) = (u.info.shape[0], u.info.shape[1], v.info.shape[0])
    // A double has no second part to add, and shorter types than floats have too short ones.
    let dtype: DType = source.inputs.contains { $0.info.dtype == .float64 } ? .float64 : .float32
    let parts = keepsRank || dtype == .float64 ? 1 : 2
    let a = Computation("s·Σ·U in \(parts) parts", of: source.inputs.dropLast()) { info in
      matrixReader(info, try source.update().right.parts(parts))
    }
    let b = Computation("V \(parts) times", of: [v]) { info in
      matrixReader(info, try Matrix(v).besideItself(parts))
    }
    return [
      Blueprint.Entry(
        info: try TensorInfo(
          name: FactorNames.lora(block, projection, "a"), dtype: dtype,
          shape: [parts * rank, width]), origin: .computed(a)),
      Blueprint.Entry(
        info: try TensorInfo(
          name: FactorNames.lora(block, projection, "b"), dtype: dtype,
          shape: [rows, parts * rank]), origin: .computed(b)),
    ]
  }
}

extension Matrix {
  /// The matrix itself, or below one another its nearest floats and what they leave.
  fileprivate func parts(_ count: Int) -> Matrix {
    guard count == 2 else { return self }
    let rests = values.map { $0 - Double(Float($0)) }
    return Matrix(
      rows: 2 * rows, columns: columns, values: values.map { Double(Float($0)) } + rests)
  }

  fileprivate func besideItself(_ count: Int) -> Matrix {
    let repeated = (0..<rows).flatMap { row in
      let line = values[row * columns..<(row + 1) * columns]
      return (0..<count).flatMap { _ in line }
    }
    return Matrix(rows: rows, columns: count * columns, values: repeated)
  }
}

private func matrixReader(_ info: TensorInfo, _ matrix: Matrix) -> NumberReader {
  NumberReader(info) { range, numbers in
    _ = numbers.update(fromContentsOf: matrix.values[range])
    let part = UnsafeMutableBufferPointer(rebasing: numbers[..<range.count])
    try checkFinite(part, info, from: range.lowerBound)
  }
}

extension Blueprint {
  /// The factors of a model or delta.
  ///
  /// - Throws: `SurgeryError` with code `notAdapted` or `alreadyMerged` when there are none.
  func factors() throws -> Architecture.Factors {
    let model = try Architecture(self)
    guard let factors = model.factors else {
      throw model.merged == nil
        ? SurgeryError(
          .notAdapted, expected: "a model with FacT or LoRA factors",
          found: "family '\(model.family)' without any")
        : SurgeryError.merged(model)
    }
    return factors
  }
}
