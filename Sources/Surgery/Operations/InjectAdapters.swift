import Formats

/// Adds MA-SAM's 3D adapters: norm, down to few channels, convolution over slices, GELU, up again,
/// beside the identity.
///
/// Source: Chen et al., "MA-SAM" (2023), §3.3; MA-SAM/segment_anything/modeling/image_encoder.py
public struct InjectAdapters: Operation {
  public enum Placement: String, Sendable, CaseIterable {
    case both, before, after, none
  }

  public enum Start: String, Sendable, CaseIterable {
    /// Up-projections zero: the adapted model computes what the model did.
    case zero
    /// As published: up-projections random like the rest.
    case masam
  }

  public var channels: Int
  public var placement: Placement
  public var start: Start
  public var seed: UInt64

  public init(channels: Int, placement: Placement, start: Start, seed: UInt64) {
    self.channels = channels
    self.placement = placement
    self.start = start
    self.seed = seed
  }

  /// Slices that one convolution sees.
  private static let depthKernel = 3

  public func apply(to blueprint: inout Blueprint) throws {
    guard placement != .none else { return }
    let (model, encoder) = try blueprint.encoderArchitecture()
    if let adapters = model.adapters {
      throw SurgeryError(
        .alreadyAdapted, expected: "a model without 3D adapters",
        found: "adapters of \(adapters.channels) channels, \(adapters.placement) attention")
    }
    guard channels >= 1, channels <= 1 << 16 else {
      throw SurgeryError(
        .badOption, subject: "adapter channels", expected: "at least 1", found: "\(channels)")
    }
    for block in 0..<encoder.depth {
      if placement != .after {
        blueprint.entries += try adapter(block, suffix: "", encoder.width)
      }
      if placement != .before {
        blueprint.entries += try adapter(block, suffix: "_2", encoder.width)
      }
    }
  }

  private func adapter(_ block: Int, suffix: String, _ width: Int) throws -> [Blueprint.Entry] {
    let initialiser = Initialiser(seed: seed)
    let layer = { (part: String) in "\(ModelNames.block(block)).adapter_\(part)\(suffix)" }
    let up = TensorName(layer("linear_up") + ".weight")
    return try [
      initialiser.uniform(
        TensorName(layer("linear_down") + ".weight"), [channels, width], fanIn: width),
      start == .zero
        ? initialiser.zeros(up, [width, channels])
        : initialiser.uniform(up, [width, channels], fanIn: channels),
    ]
      + initialiser.convolution(
        layer("conv"), outputs: channels, inputs: channels, kernel: [Self.depthKernel, 1, 1])
      + initialiser.norm(layer("norm"), width: width)
  }
}
