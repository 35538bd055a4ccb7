import Support

extension Architecture {
  /// A line for each part that has something to say.
  public var lines: [String] {
    var lines: [String] = []
    if let encoder {
      let global = encoder.globalBlocks.map { "\($0)" } ?? "unknown"
      lines.append(
        "encoder: width \(encoder.width), depth \(encoder.depth), \(encoder.heads) heads, "
          + "window \(encoder.window.map(String.init) ?? "none"), global blocks \(global), "
          + "\(encoder.imageSize) px")
    }
    if let factors {
      let scale = factors.scale.map { "\($0)" } ?? "unknown"
      let share = factors.blocks.count == depth ? "all" : "\(factors.blocks.count)"
      lines.append(
        "factors: \(factors.kind.rawValue), rank \(factors.rank), scale \(scale), "
          + "in \(share) blocks")
    }
    if let adapters {
      lines.append("adapters: \(adapters.channels) channels, \(adapters.placement) attention")
    }
    lines.append(
      "decoder: \(decoder.kind.rawValue), width \(decoder.width), \(decoder.maskTokens) mask tokens"
    )
    if let merged { lines.append("merged: \(merged.escapedForDisplay.shortened())") }
    return lines
  }

  /// What metadata says and no tensor shows, as far as it changes what the model calculates.
  public var choices: [(key: String, value: JSON)] {
    let number = { (value: Int?) in value.map(JSON.int) ?? JSON.null }
    return [
      ("factor-scale", factors?.scale.map(JSON.double) ?? .null),
      ("factor-blocks", factors.map { .array($0.blocks.map(JSON.int)) } ?? .null),
      ("slices", number(slices)), ("window", number(encoder?.window)),
      ("global-blocks", encoder?.globalBlocks.map { .array($0.map(JSON.int)) } ?? .null),
    ]
  }

  public var json: JSON {
    let number = { (value: Int?) in value.map(JSON.int) ?? JSON.null }
    return .object([
      ("encoder", encoder.map(\.json) ?? .null), ("factors", factors.map(\.json) ?? .null),
      (
        "adapters",
        adapters.map {
          .object([("channels", .int($0.channels)), ("placement", .string($0.placement))])
        } ?? .null
      ),
      (
        "decoder",
        .object([
          ("kind", .string(decoder.kind.rawValue)), ("width", .int(decoder.width)),
          ("mask_tokens", .int(decoder.maskTokens)), ("factors", .bool(decoder.hasFactors)),
        ])
      ),
      ("image_size", number(imageSize)), ("slices", number(slices)),
      ("class_names", classNames.map { .array($0.map(JSON.string)) } ?? .null),
      ("merged", merged.map(JSON.string) ?? .null), ("base", base.map(JSON.string) ?? .null),
    ])
  }
}

extension Architecture.Adapters {
  public var placement: String {
    switch (before, after) {
    case (true, true): "both"
    case (true, false): "before"
    default: "after"
    }
  }
}

extension Architecture.Encoder {
  fileprivate var json: JSON {
    .object([
      ("width", .int(width)), ("depth", .int(depth)), ("heads", .int(heads)),
      ("attention_width", .int(attentionWidth)), ("mlp_width", .int(mlpWidth)),
      ("patch", .int(patch)), ("grid", .int(grid)), ("window", window.map(JSON.int) ?? .null),
      ("global_blocks", globalBlocks.map { .array($0.map(JSON.int)) } ?? .null),
    ])
  }
}

extension Architecture.Factors {
  fileprivate var json: JSON {
    .object([
      ("kind", .string(kind.rawValue)), ("rank", .int(rank)),
      ("scale", scale.map(JSON.double) ?? .null), ("blocks", .array(blocks.map(JSON.int))),
    ])
  }
}
