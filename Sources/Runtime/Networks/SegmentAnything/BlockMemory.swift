import Surgery

/// What the encoder's blocks keep of a calculation that is to be differentiated.
///
/// Every block keeps its input. As many of the first blocks as a budget allows keep what saves most work
/// for its size, too: the input of the second residual connection, what attention gave, and what the
/// adapters' convolutions gave.
public struct BlockMemory: Sendable, Equatable {
  /// Bytes for what is kept beside inputs: enough for all blocks of ViT-B with five slices at 512
  /// pixels, and so little that ViT-H stays within 7 GB.
  public static let budget = 600_000_000

  /// Of one block's input.
  public let inputBytes: Int
  /// Of what else a block may keep.
  public let moreBytes: Int
  /// How many of the first blocks keep all of it.
  public let generousBlocks: Int

  /// - Parameter images: slices of all stacks.
  public init(
    _ encoder: Architecture.Encoder, _ adapters: Architecture.Adapters?, images: Int
  ) {
    let tokenBytes = 4 * images * encoder.grid * encoder.grid
    let convolutions = adapters.map { ($0.before ? 1 : 0) + ($0.after ? 1 : 0) } ?? 0
    inputBytes = tokenBytes * encoder.width
    moreBytes =
      tokenBytes
      * (encoder.width + encoder.attentionWidth + encoder.heads
        + convolutions * (adapters?.channels ?? 0))
    generousBlocks = min(encoder.depth, Self.budget / max(1, moreBytes))
  }
}
