/// One extent of a tensor's shape as a manifest writes it: `256`, `d`, `3*d`, or `_` for any.
public enum Extent: Sendable, Equatable {
  case any
  case fixed(Int)
  case multiple(Int, of: String)

  /// - Throws: `SurgeryError` with code `badManifest`.
  public init(_ text: String) throws {
    if text == "_" {
      self = .any
    } else if let number = Int(text) {
      self = .fixed(number)
    } else {
      let factors = text.split(separator: "*").map(String.init)
      let factor = factors.count == 2 ? Int(factors[0]) : 1
      guard let factor, factor > 0, (1...2).contains(factors.count), let symbol = factors.last,
        symbol.allSatisfy(\.isLetter)
      else {
        throw SurgeryError(
          .badManifest, subject: text, expected: "a number, a symbol, or a multiple of a symbol")
      }
      self = .multiple(factor, of: symbol)
    }
  }

  /// Whether a size fits, binding the symbol when it is still free.
  func unify(_ size: Int, _ symbols: inout [String: Int]) -> Bool {
    switch self {
    case .any: return true
    case .fixed(let expected): return size == expected
    case .multiple(let factor, let symbol):
      if let known = symbols[symbol] { return size == factor * known }
      guard size.isMultiple(of: factor) else { return false }
      symbols[symbol] = size / factor
      return true
    }
  }

  /// The extent in numbers where they are known, else as it was written.
  func described(_ symbols: [String: Int]) -> String {
    switch self {
    case .any: "any"
    case .fixed(let size): "\(size)"
    case .multiple(let factor, let symbol):
      symbols[symbol].map { "\(factor * $0)" } ?? (factor == 1 ? symbol : "\(factor)*\(symbol)")
    }
  }
}
