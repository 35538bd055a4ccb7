import Formats

/// What factors add to some rows of a weight: left [rows, r] times right [r, columns].
struct LowRankUpdate: Sendable {
  var left: Matrix
  var right: Matrix
}

/// Where an update's factors are to be read, and how they become one.
///
/// All products are in double precision: Σ·U first, which is small, then V times that.
struct FactorSource: Sendable {
  enum Form: Sendable {
    /// V, Σ, U
    case tt(v: Blueprint.Entry, sigma: Blueprint.Entry, u: Blueprint.Entry)
    /// V, core, slices, U, and the slice of this projection
    case tk(
      v: Blueprint.Entry, core: Blueprint.Entry, slices: Blueprint.Entry, u: Blueprint.Entry,
      slice: Int)
    /// B, A
    case lora(b: Blueprint.Entry, a: Blueprint.Entry)
  }

  var form: Form
  var scale: Double

  var inputs: [Blueprint.Entry] {
    switch form {
    case .tt(let v, let sigma, let u): [u, sigma, v]
    case .tk(let v, let core, let slices, let u, _): [u, core, slices, v]
    case .lora(let b, let a): [a, b]
    }
  }

  /// Reads the factors.
  ///
  /// - Throws: `SurgeryError` with code `notFinite` or `notFloat`, or what reading throws.
  func update() throws -> LowRankUpdate {
    switch form {
    case .tt(let v, let sigma, let u):
      let right = try Matrix(sigma) * Matrix(u)
      return LowRankUpdate(left: try Matrix(v), right: .scaled(right, by: scale))
    case .tk(let v, let core, let slices, let u, let slice):
      let sigma = try Self.tuckerSigma(Matrix(core), Matrix(slices), slice)
      return LowRankUpdate(
        left: try Matrix(v), right: .scaled(sigma * (try Matrix(u)), by: scale))
    case .lora(let b, let a):
      return LowRankUpdate(left: try Matrix(b), right: .scaled(try Matrix(a), by: scale))
    }
  }

  /// The transpose of Σ_k C[:, :, k]·P[k, slice]: PETL-ViT multiplies row vectors by the sum from the
  /// right, so that as a matrix acting on columns it stands transposed.
  static func tuckerSigma(_ core: Matrix, _ slices: Matrix, _ slice: Int) -> Matrix {
    let rank = core.rows
    var sigma = [Double](repeating: 0, count: rank * rank)
    for row in 0..<rank {
      for column in 0..<rank {
        sigma[column * rank + row] = (0..<rank).reduce(0) { sum, k in
          sum + core[row, column * rank + k] * slices[k, slice]
        }
      }
    }
    return Matrix(rows: rank, columns: rank, values: sigma)
  }
}

extension Blueprint {
  /// The factors of one projection in one block of a model or delta.
  ///
  /// - Throws: `SurgeryError` with code `wrongPairing` when one is missing.
  func factorSource(
    _ factors: Architecture.Factors, _ block: Int, _ projection: Projection, scale: Double
  ) throws -> FactorSource {
    switch factors.kind {
    case .tt:
      return FactorSource(
        form: .tt(
          v: try required(FactorNames.v), sigma: try required(FactorNames.sigma(block, projection)),
          u: try required(FactorNames.u)), scale: scale)
    case .tk:
      return FactorSource(
        form: .tk(
          v: try required(FactorNames.v), core: try required(FactorNames.core),
          slices: try required(FactorNames.slices), u: try required(FactorNames.u),
          slice: 2 * block + (projection == .q ? 0 : 1)), scale: scale)
    case .lora:
      return FactorSource(
        form: .lora(
          b: try required(FactorNames.lora(block, projection, "b")),
          a: try required(FactorNames.lora(block, projection, "a"))), scale: scale)
    }
  }
}
