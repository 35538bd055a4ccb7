import Formats

/// The canonical names that operations speak of.
enum ModelNames {
  static let positions: TensorName = "image_encoder.pos_embed"
  static let encoderPrefix = "image_encoder."
  static let promptPrefix = "prompt_encoder."
  static let decoderPrefix = "mask_decoder."
  static let transformerPrefix = "mask_decoder.transformer."
  static let maskTokens: TensorName = "mask_decoder.mask_tokens.weight"
  static let iouHead = "mask_decoder.iou_prediction_head.layers"

  /// Whether a tensor is the encoder's own, neither factor nor adapter.
  static func isEncoderWeight(_ name: TensorName) -> Bool {
    name.text.hasPrefix(encoderPrefix) && !FactorNames.contains(name) && !isAdapter(name)
  }

  static func isAdapter(_ name: TensorName) -> Bool { name.text.contains(".adapter_") }

  static func block(_ index: Int) -> String { "image_encoder.blocks.\(index)" }

  static func relativePositions(_ block: Int, axis: String) -> TensorName {
    TensorName("\(self.block(block)).attn.rel_pos_\(axis)")
  }

  static func projection(_ block: Int) -> TensorName {
    TensorName("\(self.block(block)).attn.qkv.weight")
  }

  static func upscaling(_ index: Int, _ part: String) -> TensorName {
    TensorName("mask_decoder.output_upscaling.\(index).\(part)")
  }

  static func hyperNetwork(_ token: Int) -> String {
    "mask_decoder.output_hypernetworks_mlps.\(token).layers"
  }
}

/// The two projections that factors change.
enum Projection: String, CaseIterable, Sendable {
  case q, v

  /// The rows of a qkv weight that are this projection's: q, k and v follow one another.
  func rows(_ attentionWidth: Int) -> Range<Int> {
    switch self {
    case .q: 0..<attentionWidth
    case .v: 2 * attentionWidth..<3 * attentionWidth
    }
  }
}

/// The canonical names of factors.
enum FactorNames {
  static let u: TensorName = "image_encoder.FacTu.weight"
  static let v: TensorName = "image_encoder.FacTv.weight"
  static let core: TensorName = "image_encoder.FacTc"
  static let slices: TensorName = "image_encoder.FacTp"

  static func sigma(_ block: Int, _ projection: Projection) -> TensorName {
    TensorName("\(ModelNames.block(block)).attn.\(projection.rawValue)_FacTs.weight")
  }

  static func lora(_ block: Int, _ projection: Projection, _ side: String) -> TensorName {
    TensorName("\(ModelNames.block(block)).attn.\(projection.rawValue)_lora_\(side).weight")
  }

  /// A tensor that a block has when factors of that kind sit in it.
  static func first(_ kind: Architecture.FactorKind, block: Int) -> TensorName {
    kind == .lora ? lora(block, .q, "a") : sigma(block, .q)
  }

  /// Whether a tensor is a factor, of the encoder or of the decoder.
  static func contains(_ name: TensorName) -> Bool {
    let text = name.text
    return text.contains("FacT") || text.contains("_lora_")
  }
}
