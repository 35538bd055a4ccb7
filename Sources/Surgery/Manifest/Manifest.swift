/// What is known of a family of models: its tensors as templates over hyper-parameters, and the
/// names they bear elsewhere.
public struct Manifest: Sendable {
  /// One tensor, or one for every value of the template's symbols.
  public struct Tensor: Sendable {
    /// Its canonical name.
    public var name: NameTemplate
    public var shape: [Extent]
    public var isOptional: Bool
    /// Whether the tensor may exist for some values of its index only; others of the same part then
    /// exist for the same values.
    public var isSparse = false
    /// The choice that this tensor belongs to; nil for one that every model of the family has.
    public var choice: Choice?
  }

  /// One of the forms that a part of the model can take.
  public struct Choice: Sendable, Hashable {
    public var variant: String
    public var form: String
  }

  /// A part of the model that comes in several forms, the plainest first.
  public struct Variant: Sendable {
    public var name: String
    public var forms: [String]
  }

  /// Other names for the same tensors.
  public struct Dialect: Sendable {
    public var identifier: String
    public var title: String
    /// For each tensor of the manifest all names that this dialect gives it; several for a tensor
    /// that is stored more than once.
    public var aliases: [[NameTemplate]]
  }

  /// What a file must keep around the tensors to be taken for this family.
  public struct Wrapping: Sendable, Equatable {
    public var path: [String]
    public var siblings: [String]
  }

  public var family: String
  public var title: String
  /// With those of all forms of all variants.
  public var tensors: [Tensor]
  public var variants: [Variant]
  /// Which symbol counts the values of which index: depth for blocks, tokens for mask heads.
  public var counts: [String: String]
  /// What is reported of a file, by name: an expression over the symbols.
  public var hyperparameters: [(name: String, value: Ratio)]
  public var wrapping: Wrapping?
  /// What a file that says of itself that it is of the family may hold besides, in any number.
  public var besides: [NameTemplate] = []
  /// The canonical names come first.
  public var dialects: [Dialect]

  /// A hyper-parameter that follows from symbols, such as heads = width / head width.
  public struct Ratio: Sendable, Equatable {
    public var numerator: Extent
    public var denominator: Extent?

    func value(_ symbols: [String: Int]) -> Int? {
      guard let top = Self.number(numerator, symbols) else { return nil }
      guard let denominator else { return top }
      guard let bottom = Self.number(denominator, symbols), bottom > 0 else { return nil }
      return top / bottom
    }

    private static func number(_ extent: Extent, _ symbols: [String: Int]) -> Int? {
      switch extent {
      case .any: nil
      case .fixed(let number): number
      case .multiple(let factor, let symbol): symbols[symbol].map { factor * $0 }
      }
    }
  }
}
