import Formats

/// One resolved model: what its tensors' shapes tell, completed by what its metadata says.
///
/// A delta has no encoder of its own; it knows of it what its factors and adapters show.
public struct Architecture: Sendable, Equatable {
  public struct Encoder: Sendable, Equatable {
    public var width: Int
    public var depth: Int
    public var heads: Int
    /// Rows of q, of k and of v, which pruned models narrow.
    public var attentionWidth: Int
    public var mlpWidth: Int
    public var patch: Int
    /// Tokens a side.
    public var grid: Int
    /// Tokens a side of a window; nil when no block is known to have one.
    public var window: Int?
    /// The blocks that attend everywhere; nil when shapes and metadata leave it open.
    public var globalBlocks: [Int]?

    /// Pixels a side.
    public var imageSize: Int { grid * patch }
  }

  public enum FactorKind: String, Sendable, CaseIterable {
    /// FacT in tensor-train form.
    case tt
    /// FacT in Tucker form.
    case tk
    case lora
  }

  public struct Factors: Sendable, Equatable {
    public var kind: FactorKind
    public var rank: Int
    /// Of q's and v's update; nil when nothing in the file says it.
    public var scale: Double?
    public var blocks: [Int]
    /// Whether the metadata says that blocks were left out.
    public var isPartial: Bool
  }

  public struct Adapters: Sendable, Equatable {
    /// Channels between down and up projection.
    public var channels: Int
    public var before: Bool
    public var after: Bool
  }

  public enum DecoderKind: String, Sendable, CaseIterable {
    case sam, progressive, multiscale
  }

  public struct Decoder: Sendable, Equatable {
    public var kind: DecoderKind
    public var width: Int
    /// Background or ambiguity levels included.
    public var maskTokens: Int
    /// Whether LoRA pairs stand beside the transformer's projections.
    public var hasFactors: Bool
  }

  public var family: String
  public var encoder: Encoder?
  public var factors: Factors?
  public var adapters: Adapters?
  public var decoder: Decoder
  /// Pixels a side; of a delta what its metadata says.
  public var imageSize: Int?
  public var slices: Int?
  /// Names of the foreground classes, where they have been given.
  public var classNames: [String]?
  /// What was merged into the weights, nil when nothing was.
  public var merged: String?
  /// The content hash of the base that the model was made from.
  public var base: String?

  /// Width and depth as far as anything in the file shows them.
  public var width: Int?
  public var depth: Int?
  public var attentionWidth: Int?

  /// Foreground classes, when token 0 is background.
  public var classes: Int { decoder.maskTokens - 1 }

  public var isDelta: Bool { encoder == nil }
}
