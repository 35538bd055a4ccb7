import Surgery

/// What the encoder's blocks keep of a calculation that is to be differentiated.
///
/// Every block that is differentiated keeps its input. As many of the first of these as a budget allows
/// keep what saves most work for its size, too: the input of the second residual connection, what attention
/// gave, and what the adapters' convolutions gave; and then as many what goes into the activation of their
/// MLP.
public struct BlockMemory: Sendable, Equatable {
  /// How much one block keeps.
  public enum Share: Sendable {
    case input
    case more
    /// With what is widest, the hidden layer of the MLP.
    case hidden
  }

  /// Bytes for what is kept beside inputs, with which a step of ViT-B with five slices at 512 pixels
  /// stays within 2.5 GB.
  static let budget = 1_140_000_000
  /// The same where weights were rounded and so lie in memory a second time: ViT-H stays within 5.5 GB.
  static let budgetBesideRounded = 600_000_000

  /// Of one block's input.
  public let inputBytes: Int
  /// Of what else a block may keep.
  public let moreBytes: Int
  /// Of a hidden layer.
  public let hiddenBytes: Int
  /// The blocks that are differentiated.
  public let blocks: Range<Int>
  /// How many of the first of them keep more than their input.
  public let generousBlocks: Int
  /// How many of the first of them keep their hidden layer too.
  public let hiddenBlocks: Int

  /// - Parameters:
  ///   - blocks: those that are differentiated: from the first one on that has anything to train.
  ///   - images: slices of all stacks.
  ///   - roundsWeights: whether weights have rounded copies.
  public init(
    _ encoder: Architecture.Encoder, _ adapters: Architecture.Adapters?, blocks: Range<Int>,
    images: Int, roundsWeights: Bool
  ) {
    self.blocks = blocks
    let tokenBytes = 4 * images * encoder.grid * encoder.grid
    let convolutions = adapters.map { ($0.before ? 1 : 0) + ($0.after ? 1 : 0) } ?? 0
    inputBytes = tokenBytes * encoder.width
    moreBytes =
      tokenBytes
      * (encoder.width + encoder.attentionWidth + encoder.heads
        + convolutions * (adapters?.channels ?? 0))
    hiddenBytes = tokenBytes * encoder.mlpWidth
    let budget = roundsWeights ? Self.budgetBesideRounded : Self.budget
    generousBlocks = min(blocks.count, budget / max(1, moreBytes))
    hiddenBlocks = min(
      generousBlocks, (budget - generousBlocks * moreBytes) / max(1, hiddenBytes))
  }

  /// What a block keeps, nil when it is not differentiated.
  public func kept(by block: Int) -> Share? {
    guard blocks.contains(block) else { return nil }
    let place = block - blocks.lowerBound
    if place < hiddenBlocks { return .hidden }
    return place < generousBlocks ? .more : .input
  }

  /// Of all blocks together.
  public var totalBytes: Int {
    blocks.count * inputBytes + generousBlocks * moreBytes + hiddenBlocks * hiddenBytes
  }
}
