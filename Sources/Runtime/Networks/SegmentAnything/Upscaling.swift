import Numerics
import Surgery

/// Brings the decoder's image from the grid to the resolution of masks: each step doubles it, and
/// all but the last are normalised; GELU follows each.
struct Upscaling: Sendable {
  private struct Step {
    var up: UpConvolution
    var norm: LayerNorm?
  }

  private let steps: [Step]
  private let skips: [SkipConnection]
  /// Channels of what comes out.
  let channels: Int

  init(_ decoder: Parameters, _ architecture: Architecture) throws {
    let parameters = decoder["output_upscaling"]
    // The places in PyTorch's `Sequential` of each convolution and the norm after it.
    let places: [(convolution: Int, norm: Int?)] =
      switch architecture.decoder.kind {
      case .sam: [(0, 1), (3, nil)]
      case .progressive, .multiscale: [(0, 1), (3, 4), (6, 7), (9, nil)]
      }
    var widths = [architecture.decoder.width]
    steps = try places.map { place in
      let width = parameters[place.convolution].shape(of: "bias")?.first ?? 0
      defer { widths.append(width) }
      return Step(
        up: try UpConvolution(
          parameters[place.convolution], widths[widths.count - 1], width),
        norm: try place.norm.map { try LayerNorm(parameters[$0], width, epsilon: 1e-6) })
    }
    channels = widths[widths.count - 1]
    let isMultiscale = architecture.decoder.kind == .multiscale
    skips = try (isMultiscale ? steps.indices : 0..<0).map { index in
      try SkipConnection(
        decoder["skips"][index], from: architecture.encoder?.width ?? 0, to: widths[index])
    }
  }

  /// The blocks that end the encoder's stages, first the earliest; none without skips.
  func stages(depth: Int) -> [Int] {
    let count = skips.count
    return (0..<count).map { ((($0 + 1) * depth) + count - 1) / count - 1 }
  }

  /// - Parameters:
  ///   - image: [images, grid, grid, width]
  ///   - stages: [images, grid, grid, encoder width], the earliest first.
  func callAsFunction(_ image: Variable, stages: [Variable]) -> Variable {
    var x = image
    for (index, step) in steps.enumerated() {
      // The encoder's last stage enters first.
      if index < skips.count { x = skips[index](x, stage: stages[skips.count - 1 - index]) }
      x = step.up(x)
      x = step.norm?.normaliseAndActivate(x) ?? x.gelu()
    }
    return x
  }
}

/// Joins an encoder stage to the upscaling path: `x + gelu(norm(fuse(x, skip)))`.
///
/// manifests/decoder-multiscale.yaml describes it.
struct SkipConnection: Sendable {
  private let projection: Linear
  private let norm: LayerNorm
  private let fuse: Convolution
  private let fuseNorm: LayerNorm

  init(_ parameters: Parameters, from input: Int, to output: Int) throws {
    projection = try Linear(
      parameters["proj"], input, output, hasBias: false, shape: [output, input, 1, 1])
    norm = try LayerNorm(parameters["norm"], output, epsilon: 1e-6)
    fuse = try Convolution(
      parameters["fuse"], 2 * output, output, kernel: 3)
    fuseNorm = try LayerNorm(parameters["fuse_norm"], output, epsilon: 1e-6)
  }

  func callAsFunction(_ x: Variable, stage: Variable) -> Variable {
    let skip = norm(projection(stage)).resized(height: x.shape[1], width: x.shape[2])
    let fused = fuse(Variable.concatenated([x, skip], axis: 3))
    return x + fuseNorm.normaliseAndActivate(fused)
  }
}
