import CKernels
import Formats
import Support

/// Checks a product by applying it to a vector of signs in another order.
///
/// V·(Σ·(U·x)) takes r numbers a row where ΔW·x takes all of them, so it costs next to nothing, and a
/// wrong entry of ΔW goes unnoticed only if several cancel each other's error.
/// Source: Freivalds, "Probabilistic machines can use less running time" (1977).
extension FactorSource {
  struct Probe: Sendable {
    let signs: [Double]
    /// Σ·(U·x), and the same with all magnitudes, which bounds the rounding.
    let image: [Double]
    let magnitude: [Double]

    /// Far above what double precision loses in such sums, far below what a wrong entry makes.
    private static let tolerance = 1e-11

    /// Checks some rows of the product with V.
    ///
    /// - Throws: `SurgeryError` with code `selfCheckFailed`, which is a bug or a broken machine.
    func check(
      _ product: UnsafeMutableBufferPointer<Double>, of left: Matrix, rows: Range<Int>,
      of name: TensorName
    ) throws {
      for (place, row) in rows.enumerated() {
        let own = product.baseAddress.map { $0 + place * signs.count }
        let found = own.map { wt_dot($0, signs, signs.count) } ?? 0
        var (expected, scale) = (0.0, 0.0)
        for k in image.indices {
          expected += left[row, k] * image[k]
          scale += abs(left[row, k]) * magnitude[k]
        }
        guard abs(found - expected) <= Self.tolerance * scale || !scale.isFinite else {
          throw SurgeryError(
            .selfCheckFailed, subject: name.text,
            expected: "\(expected) as the probe of row \(row)",
            found: "\(found)")
        }
      }
    }
  }

  /// The signs are the same in every run.
  func probe(_ columns: Int) throws -> Probe {
    let stream = RandomStream(seed: 0, name: "probe")
    let signs = (0..<columns).map { stream.words(block: UInt64($0))[0] & 1 == 0 ? 1.0 : -1.0 }
    let matrices = try chain()
    let apply = { (vector: [Double], matrices: [Matrix]) in
      matrices.reduce(vector) { vector, matrix in
        (0..<matrix.rows).map { row in
          (0..<matrix.columns).reduce(0) { $0 + matrix[row, $1] * vector[$1] }
        }
      }
    }
    let magnitudes = matrices.map { matrix in
      Matrix(rows: matrix.rows, columns: matrix.columns, values: matrix.values.map(abs))
    }
    return Probe(
      signs: signs, image: apply(signs, matrices).map { $0 * scale },
      magnitude: apply(signs.map(abs), magnitudes).map { $0 * abs(scale) })
  }

  /// What a vector passes before V: U, then Σ; or A alone.
  private func chain() throws -> [Matrix] {
    switch form {
    case .tt(_, let sigma, let u): [try Matrix(u), try Matrix(sigma)]
    case .tk(_, let core, let slices, let u, let slice):
      [try Matrix(u), try Self.tuckerSigma(Matrix(core), Matrix(slices), slice)]
    case .lora(_, let a): [try Matrix(a)]
    }
  }
}
