import Formats

/// Writes FacT's factors as LoRA pairs of the same update: A = Σ·U, B = s·V.
///
/// Nothing is approximated: in double precision the pairs merge to the same weights to the last
/// place, and in the factors' own type to what rounding A and B loses.
public struct FactorsToLoRA: Operation {
  public var scale: Double?
  /// The pairs' type; nil for the factors' own.
  public var dtype: DType?

  public init(scale: Double? = nil, dtype: DType? = nil) {
    self.scale = scale
    self.dtype = dtype
  }

  public func apply(to blueprint: inout Blueprint) throws {
    let factors = try blueprint.factors()
    guard factors.kind != .lora else { return }
    let scale = try MergeFactors.scale(scale, factors, &blueprint)
    let pairs = try factors.blocks.flatMap { block in
      try Projection.allCases.flatMap { projection in
        try pair(
          block, projection, blueprint.factorSource(factors, block, projection, scale: 1), scale)
      }
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
    _ block: Int, _ projection: Projection, _ source: FactorSource, _ scale: Double
  ) throws -> [Blueprint.Entry] {
    guard let u = source.inputs.first, let v = source.inputs.last else { return [] }
    let (rank, width) = (u.info.shape[0], u.info.shape[1])
    let a = Computation("Σ·U", of: source.inputs.dropLast()) { info in
      let product = try source.update().right
      return matrixReader(info, product)
    }
    let b = Computation("scaled by \(scale)", of: [v]) { info in
      matrixReader(info, .scaled(try Matrix(v), by: scale))
    }
    return [
      Blueprint.Entry(
        info: try TensorInfo(
          name: FactorNames.lora(block, projection, "a"), dtype: dtype ?? u.info.dtype,
          shape: [rank, width]), origin: .computed(a)),
      Blueprint.Entry(
        info: try TensorInfo(
          name: FactorNames.lora(block, projection, "b"), dtype: dtype ?? v.info.dtype,
          shape: v.info.shape), origin: .computed(b)),
    ]
  }
}

private func matrixReader(_ info: TensorInfo, _ matrix: Matrix) -> NumberReader {
  NumberReader(info, piece: info.elementCount) { range, numbers in
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
